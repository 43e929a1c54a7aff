-- Where the time of each query went: one statement, the same text for every engine.
--
-- In:  spans(query_key, trace_id, span_id, parent_id, start_ns, end_ns, phase_rank, provenance_rank, is_root),
--      one row a span, in any order, duplicates and broken clocks included.
-- Out: one row a query and phase with time or spans (or one without a phase, for a query of no length):
--      query_key, start_ns, wall_ns, phase_rank, ns, contested_ns, provenances (a sum of 2^provenance_rank).
--
-- phase_rank counts from 0 in order of precedence:
--   0 decode, 1 prefill, 2 model (generation) · 3 queue, 4 template (server) · 5 parse (framework)
--   6 serve (server) · 7 retry, 8 http (network) · 9 tool (tool) · 10 framework (framework)
-- provenance_rank: 0 server, 1 client, 2 stream, 3 body, 4 inferred.
--
-- Portable: no recursion, no FILTER, no shift or bit operators, no scalar max; lead() is guarded with d > 0,
-- because the last row's is NULL in most engines and 0 in ClickHouse.
WITH
numbered AS (
  SELECT query_key, trace_id, span_id, parent_id, start_ns, phase_rank, provenance_rank, is_root,
    CASE WHEN end_ns < start_ns THEN start_ns ELSE end_ns END AS end_ns,
    row_number() OVER (
      PARTITION BY query_key, trace_id, span_id
      ORDER BY end_ns - start_ns DESC, start_ns, phase_rank, provenance_rank, coalesce(parent_id, '')
    ) AS copy_number
  FROM spans
),
roots AS (
  SELECT query_key, start_ns, end_ns FROM numbered WHERE copy_number = 1 AND is_root = 1
),
-- |------ root ------|
--      |---- span ----|     what is outside the query's window is cut off
windowed AS (
  SELECT s.query_key AS query_key, s.trace_id AS trace_id, s.span_id AS span_id, s.parent_id AS parent_id,
    s.phase_rank AS phase_rank, s.provenance_rank AS provenance_rank,
    CASE WHEN s.start_ns < r.start_ns THEN r.start_ns ELSE s.start_ns END AS start_ns,
    CASE WHEN s.end_ns > r.end_ns THEN r.end_ns ELSE s.end_ns END AS end_ns
  FROM numbered s JOIN roots r ON s.query_key = r.query_key
  WHERE s.copy_number = 1
),
phased_spans AS (
  SELECT query_key, trace_id, span_id, parent_id, phase_rank, provenance_rank, start_ns, end_ns
  FROM windowed WHERE end_ns > start_ns
),
-- A span is at work itself while it is open and none of its children is: a leaf of that instant.
-- |----------- parent -----------|
--     |-- child --|
--             |-- child --|           covered:   |---------------------|
child_parts AS (
  SELECT p.query_key AS query_key, p.trace_id AS trace_id, p.span_id AS parent_id, p.phase_rank AS phase_rank,
    CASE WHEN c.start_ns < p.start_ns THEN p.start_ns ELSE c.start_ns END AS start_ns,
    CASE WHEN c.end_ns > p.end_ns THEN p.end_ns ELSE c.end_ns END AS end_ns
  FROM phased_spans c JOIN phased_spans p
    ON c.query_key = p.query_key AND c.trace_id = p.trace_id AND c.parent_id = p.span_id
),
child_steps AS (
  SELECT query_key, trace_id, parent_id, phase_rank, t, CAST(sum(delta) AS BIGINT) AS delta
  FROM (
    SELECT query_key, trace_id, parent_id, phase_rank, start_ns AS t, 1 AS delta
    FROM child_parts WHERE end_ns > start_ns
    UNION ALL
    SELECT query_key, trace_id, parent_id, phase_rank, end_ns AS t, -1 AS delta
    FROM child_parts WHERE end_ns > start_ns
  ) AS child_ends
  GROUP BY query_key, trace_id, parent_id, phase_rank, t
),
child_counts AS (
  SELECT query_key, phase_rank, t, delta,
    sum(delta) OVER (
      PARTITION BY query_key, trace_id, parent_id ORDER BY t ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS open_children
  FROM child_steps
),
ends AS (
  SELECT query_key, start_ns AS t, phase_rank, 1 AS opened, 1 AS leaves FROM phased_spans
  UNION ALL
  SELECT query_key, end_ns AS t, phase_rank, -1 AS opened, -1 AS leaves FROM phased_spans
  UNION ALL
  SELECT query_key, t, phase_rank, 0 AS opened, -1 AS leaves FROM child_counts
  WHERE open_children > 0 AND open_children - delta = 0
  UNION ALL
  SELECT query_key, t, phase_rank, 0 AS opened, 1 AS leaves FROM child_counts
  WHERE open_children = 0
),
steps AS (
  SELECT query_key, t,
    CAST(sum(CASE WHEN phase_rank = 0 THEN opened ELSE 0 END) AS BIGINT) AS p0,
    CAST(sum(CASE WHEN phase_rank = 1 THEN opened ELSE 0 END) AS BIGINT) AS p1,
    CAST(sum(CASE WHEN phase_rank = 2 THEN opened ELSE 0 END) AS BIGINT) AS p2,
    CAST(sum(CASE WHEN phase_rank = 3 THEN opened ELSE 0 END) AS BIGINT) AS p3,
    CAST(sum(CASE WHEN phase_rank = 4 THEN opened ELSE 0 END) AS BIGINT) AS p4,
    CAST(sum(CASE WHEN phase_rank = 5 THEN opened ELSE 0 END) AS BIGINT) AS p5,
    CAST(sum(CASE WHEN phase_rank = 6 THEN opened ELSE 0 END) AS BIGINT) AS p6,
    CAST(sum(CASE WHEN phase_rank = 7 THEN opened ELSE 0 END) AS BIGINT) AS p7,
    CAST(sum(CASE WHEN phase_rank = 8 THEN opened ELSE 0 END) AS BIGINT) AS p8,
    CAST(sum(CASE WHEN phase_rank = 9 THEN opened ELSE 0 END) AS BIGINT) AS p9,
    CAST(sum(CASE WHEN phase_rank = 10 THEN opened ELSE 0 END) AS BIGINT) AS p10,
    CAST(sum(CASE WHEN phase_rank IN (0, 1, 2) THEN leaves ELSE 0 END) AS BIGINT) AS generation,
    CAST(sum(CASE WHEN phase_rank IN (3, 4, 6) THEN leaves ELSE 0 END) AS BIGINT) AS server,
    CAST(sum(CASE WHEN phase_rank IN (5, 10) THEN leaves ELSE 0 END) AS BIGINT) AS framework,
    CAST(sum(CASE WHEN phase_rank IN (7, 8) THEN leaves ELSE 0 END) AS BIGINT) AS network,
    CAST(sum(CASE WHEN phase_rank = 9 THEN leaves ELSE 0 END) AS BIGINT) AS tool
  FROM ends GROUP BY query_key, t
),
counts AS (
  SELECT query_key, lead(t) OVER (PARTITION BY query_key ORDER BY t) - t AS d,
    sum(p0) OVER open_now AS p0, sum(p1) OVER open_now AS p1, sum(p2) OVER open_now AS p2,
    sum(p3) OVER open_now AS p3, sum(p4) OVER open_now AS p4, sum(p5) OVER open_now AS p5,
    sum(p6) OVER open_now AS p6, sum(p7) OVER open_now AS p7, sum(p8) OVER open_now AS p8,
    sum(p9) OVER open_now AS p9, sum(p10) OVER open_now AS p10,
    sum(generation) OVER open_now AS generation, sum(server) OVER open_now AS server,
    sum(framework) OVER open_now AS framework, sum(network) OVER open_now AS network,
    sum(tool) OVER open_now AS tool
  FROM steps
  WINDOW open_now AS (PARTITION BY query_key ORDER BY t ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
),
owned AS (
  SELECT query_key, d, generation, server, framework, network, tool,
    CASE
      WHEN p0 > 0 THEN 0 WHEN p1 > 0 THEN 1 WHEN p2 > 0 THEN 2 WHEN p3 > 0 THEN 3 WHEN p4 > 0 THEN 4
      WHEN p5 > 0 THEN 5 WHEN p6 > 0 THEN 6 WHEN p7 > 0 THEN 7 WHEN p8 > 0 THEN 8 WHEN p9 > 0 THEN 9
      ELSE 10
    END AS phase_rank
  FROM counts WHERE d > 0
),
shares AS (
  SELECT query_key, phase_rank, CAST(sum(d) AS BIGINT) AS ns,
    CAST(sum(CASE
      WHEN generation > 0 AND phase_rank NOT IN (0, 1, 2) THEN d
      WHEN server > 0 AND phase_rank NOT IN (3, 4, 6) THEN d
      WHEN framework > 0 AND phase_rank NOT IN (5, 10) THEN d
      WHEN network > 0 AND phase_rank NOT IN (7, 8) THEN d
      WHEN tool > 0 AND phase_rank <> 9 THEN d
      ELSE 0
    END) AS BIGINT) AS contested_ns
  FROM owned GROUP BY query_key, phase_rank
),
sources AS (
  SELECT query_key, phase_rank,
    max(CASE WHEN provenance_rank = 0 THEN 1 ELSE 0 END) + max(CASE WHEN provenance_rank = 1 THEN 2 ELSE 0 END)
    + max(CASE WHEN provenance_rank = 2 THEN 4 ELSE 0 END) + max(CASE WHEN provenance_rank = 3 THEN 8 ELSE 0 END)
    + max(CASE WHEN provenance_rank = 4 THEN 16 ELSE 0 END) AS provenances
  FROM phased_spans GROUP BY query_key, phase_rank
)
SELECT r.query_key AS query_key, r.start_ns AS start_ns, r.end_ns - r.start_ns AS wall_ns,
  s.phase_rank AS phase_rank, s.ns AS ns, s.contested_ns AS contested_ns, f.provenances AS provenances
FROM roots r
LEFT JOIN shares s ON r.query_key = s.query_key
LEFT JOIN sources f ON s.query_key = f.query_key AND s.phase_rank = f.phase_rank
