-- Where the time of each query went: one statement, the same text for every engine.
--
-- In:  spans(query_key, span_id, parent_id, start_ns, end_ns, phase_rank, provenance_rank, is_root),
--      one row a span, in any order, duplicates and broken clocks included. query_key, span_id and parent_id are
--      whole numbers that were given when loading (span_id: one number for each trace id and span id; parent_id is
--      NULL without a parent): engines compare numbers several times faster than text.
-- Out: one row a query and phase with time (or one without a phase, for a query of no length): query_key, start_ns,
--      wall_ns, phase_rank, ns, contested_ns, provenances (a sum of 2^provenance_rank), spans (how many it has).
--
-- phase_rank counts from 0 in order of precedence:
--   0 decode, 1 prefill, 2 model (generation) · 3 queue, 4 template (server) · 5 parse (framework)
--   6 serve (server) · 7 retry, 8 http (network) · 9 tool (tool) · 10 framework (framework)
-- provenance_rank: 0 server, 1 client, 2 stream, 3 body, 4 inferred.
--
-- Fifteen counts are kept in three running sums, five in each, in steps of 1, B = 2^12 = 4096, B^2 = 16777216,
-- B^3 = 68719476736 and B^4 = 281474976710656. A query may therefore have up to 2^12 - 1 spans; `ledger_wide.sql` has the
-- same counts for those that have more, in five sums.
--   a: decode B^4, prefill B^3, model B^2, queue B, template 1      b: parse B^4, serve B^3, retry B^2, http B, tool 1
--   c: at work themselves: generation B^4, server B^3, framework B^2, network B, tool 1
-- No phase but framework (or what the root is) is open where a and b are 0: it needs no count.
--
-- Portable: no recursion, no FILTER, no shift or bit operators, no scalar max, no whole division; lead() is guarded
-- with lasted_ns > 0 and left joins have a flag, because what is missing is NULL in most engines and 0 in ClickHouse.
-- The window has its default frame, which takes all rows of one instant together: the one of them whose lead() is
-- later has the whole sum.
WITH
copies AS (
  SELECT span_id, 1 AS several FROM spans GROUP BY span_id HAVING count(*) > 1
),
ranked_copies AS (
  SELECT s.query_key AS query_key, s.span_id AS span_id, s.parent_id AS parent_id, s.start_ns AS start_ns,
    s.end_ns AS end_ns, s.phase_rank AS phase_rank, s.provenance_rank AS provenance_rank, s.is_root AS is_root,
    row_number() OVER (
      PARTITION BY s.query_key, s.span_id
      ORDER BY s.end_ns - s.start_ns DESC, s.start_ns, s.phase_rank, s.provenance_rank, coalesce(s.parent_id, -1)
    ) AS copy_number
  FROM spans s JOIN copies c ON s.span_id = c.span_id
),
single AS (
  SELECT s.query_key AS query_key, s.span_id AS span_id, s.parent_id AS parent_id, s.start_ns AS start_ns,
    s.end_ns AS end_ns, s.phase_rank AS phase_rank, s.provenance_rank AS provenance_rank, s.is_root AS is_root
  FROM spans s LEFT JOIN copies c ON s.span_id = c.span_id
  WHERE coalesce(c.several, 0) = 0
  UNION ALL
  SELECT query_key, span_id, parent_id, start_ns, end_ns, phase_rank, provenance_rank, is_root
  FROM ranked_copies WHERE copy_number = 1
),
roots AS (
  SELECT query_key, start_ns, CASE WHEN end_ns < start_ns THEN start_ns ELSE end_ns END AS end_ns
  FROM single WHERE is_root = 1
),
-- |------ root ------|
--      |---- span ----|     what is outside the query's window is cut off; an inverted span has no length
windowed AS (
  SELECT s.query_key AS query_key, s.span_id AS span_id, s.parent_id AS parent_id,
    s.phase_rank AS phase_rank, s.provenance_rank AS provenance_rank,
    CASE WHEN s.start_ns < r.start_ns THEN r.start_ns ELSE s.start_ns END AS start_ns,
    CASE WHEN s.end_ns > r.end_ns THEN r.end_ns ELSE s.end_ns END AS end_ns
  FROM single s JOIN roots r ON s.query_key = r.query_key
  WHERE s.end_ns > s.start_ns
),
alive AS (
  SELECT query_key, span_id, parent_id, phase_rank, provenance_rank, start_ns, end_ns, 1 AS found
  FROM windowed WHERE end_ns > start_ns
),
-- A span is at work itself while it is open and none of its children is. Each child covers the part of its parent
-- that no earlier child covers, so that the parts of all children lie side by side:
-- |----------- parent -----------|
--     |-- child --|
--             |-- child --|           parts:   |-----------||-------|
children AS (
  SELECT c.query_key AS query_key, c.start_ns AS start_ns, c.end_ns AS end_ns, c.phase_rank AS phase_rank,
    CASE WHEN coalesce(p.found, 0) = 1 THEN p.phase_rank ELSE -1 END AS parent_rank,
    CASE WHEN c.start_ns < p.start_ns THEN p.start_ns ELSE c.start_ns END AS low_ns,
    CASE WHEN c.end_ns > p.end_ns THEN p.end_ns ELSE c.end_ns END AS high_ns,
    max(c.end_ns) OVER (
      PARTITION BY c.query_key, c.parent_id ORDER BY c.start_ns, c.span_id
      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS covered_ns
  FROM alive c LEFT JOIN alive p ON c.query_key = p.query_key AND c.parent_id = p.span_id
),
parts AS (
  SELECT query_key, start_ns, end_ns, phase_rank, high_ns AS part_end_ns,
    CASE WHEN covered_ns > low_ns THEN covered_ns ELSE low_ns END AS part_start_ns,
    CASE WHEN parent_rank < 0 THEN -1 WHEN covered_ns >= high_ns THEN -1 WHEN low_ns >= high_ns THEN -1
      ELSE parent_rank END AS covered_rank
  FROM children
),
packed AS (
  SELECT query_key, start_ns, end_ns, part_start_ns, part_end_ns, covered_rank,
    CAST(CASE phase_rank WHEN 0 THEN 281474976710656 WHEN 1 THEN 68719476736 WHEN 2 THEN 16777216 WHEN 3 THEN 4096
      WHEN 4 THEN 1 ELSE 0 END AS BIGINT) AS a,
    CAST(CASE phase_rank WHEN 5 THEN 281474976710656 WHEN 6 THEN 68719476736 WHEN 7 THEN 16777216 WHEN 8 THEN 4096
      WHEN 9 THEN 1 ELSE 0 END AS BIGINT) AS b,
    CAST(CASE
      WHEN phase_rank IN (0, 1, 2) THEN 281474976710656 WHEN phase_rank IN (3, 4, 6) THEN 68719476736
      WHEN phase_rank IN (5, 10) THEN 16777216 WHEN phase_rank IN (7, 8) THEN 4096 WHEN phase_rank = 9 THEN 1 ELSE 0
    END AS BIGINT) AS c,
    CAST(CASE
      WHEN covered_rank IN (0, 1, 2) THEN 281474976710656 WHEN covered_rank IN (3, 4, 6) THEN 68719476736
      WHEN covered_rank IN (5, 10) THEN 16777216 WHEN covered_rank IN (7, 8) THEN 4096 WHEN covered_rank = 9 THEN 1 ELSE 0
    END AS BIGINT) AS covered_c
  FROM parts
),
-- Where a child's part begins or ends with the child itself, which is nearly always, one row says both.
ends AS (
  SELECT query_key, start_ns AS t, a AS step_a, b AS step_b,
    CASE WHEN part_start_ns = start_ns THEN c - covered_c ELSE c END AS step_c
  FROM packed
  UNION ALL
  SELECT query_key, end_ns AS t, -a AS step_a, -b AS step_b,
    CASE WHEN part_end_ns = end_ns THEN covered_c - c ELSE -c END AS step_c
  FROM packed
  UNION ALL
  SELECT query_key, part_start_ns AS t, 0 AS step_a, 0 AS step_b, -covered_c AS step_c
  FROM packed WHERE covered_rank >= 0 AND part_start_ns <> start_ns
  UNION ALL
  SELECT query_key, part_end_ns AS t, 0 AS step_a, 0 AS step_b, covered_c AS step_c
  FROM packed WHERE covered_rank >= 0 AND part_end_ns <> end_ns
),
counts AS (
  SELECT query_key, lead(t) OVER open_now - t AS lasted_ns,
    CAST(sum(step_a) OVER open_now AS BIGINT) AS a, CAST(sum(step_b) OVER open_now AS BIGINT) AS b,
    CAST(sum(step_c) OVER open_now AS BIGINT) AS c
  FROM ends
  WINDOW open_now AS (PARTITION BY query_key ORDER BY t)
),
owned AS (
  SELECT query_key, lasted_ns,
    CASE
      WHEN a >= 281474976710656 THEN 0 WHEN a >= 68719476736 THEN 1 WHEN a >= 16777216 THEN 2 WHEN a >= 4096 THEN 3
      WHEN a > 0 THEN 4
      WHEN b >= 281474976710656 THEN 5 WHEN b >= 68719476736 THEN 6 WHEN b >= 16777216 THEN 7 WHEN b >= 4096 THEN 8
      WHEN b > 0 THEN 9 ELSE 10
    END AS phase_rank,
    CASE WHEN c >= 281474976710656 THEN 1 ELSE 0 END AS generation,
    CASE WHEN c % 281474976710656 >= 68719476736 THEN 1 ELSE 0 END AS server,
    CASE WHEN c % 68719476736 >= 16777216 THEN 1 ELSE 0 END AS framework,
    CASE WHEN c % 16777216 >= 4096 THEN 1 ELSE 0 END AS network,
    CASE WHEN c % 4096 > 0 THEN 1 ELSE 0 END AS tool
  FROM counts WHERE lasted_ns > 0
),
shares AS (
  SELECT query_key, phase_rank, CAST(sum(lasted_ns) AS BIGINT) AS ns,
    CAST(sum(CASE
      WHEN generation > 0 AND phase_rank NOT IN (0, 1, 2) THEN lasted_ns
      WHEN server > 0 AND phase_rank NOT IN (3, 4, 6) THEN lasted_ns
      WHEN framework > 0 AND phase_rank NOT IN (5, 10) THEN lasted_ns
      WHEN network > 0 AND phase_rank NOT IN (7, 8) THEN lasted_ns
      WHEN tool > 0 AND phase_rank <> 9 THEN lasted_ns
      ELSE 0
    END) AS BIGINT) AS contested_ns
  FROM owned GROUP BY query_key, phase_rank
),
sources AS (
  SELECT query_key, phase_rank, count(*) AS spans,
    max(CASE WHEN provenance_rank = 0 THEN 1 ELSE 0 END) + max(CASE WHEN provenance_rank = 1 THEN 2 ELSE 0 END)
    + max(CASE WHEN provenance_rank = 2 THEN 4 ELSE 0 END) + max(CASE WHEN provenance_rank = 3 THEN 8 ELSE 0 END)
    + max(CASE WHEN provenance_rank = 4 THEN 16 ELSE 0 END) AS provenances
  FROM alive GROUP BY query_key, phase_rank
)
SELECT r.query_key AS query_key, r.start_ns AS start_ns, r.end_ns - r.start_ns AS wall_ns,
  s.phase_rank AS phase_rank, s.ns AS ns, s.contested_ns AS contested_ns, f.provenances AS provenances,
  f.spans AS spans
FROM roots r
LEFT JOIN shares s ON r.query_key = s.query_key
LEFT JOIN sources f ON s.query_key = f.query_key AND s.phase_rank = f.phase_rank
