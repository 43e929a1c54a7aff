-- The part of `ledger.sql` from `packed` to `owned` for queries with 2^12 spans and more: it takes that part's place.
--
-- Three counts in each of five running sums: 1 is 1, B = 2^21 = 2097152, BB = 2^42 = 4398046511104.
-- A query may have up to 2^21 - 1 spans; `spans` in the result lets the reader refuse one that has more.
--   a: decode BB, prefill B, model 1      b: queue BB, template B, parse 1      c: serve BB, retry B, http 1
--   d: tool BB, and at work themselves: network B, tool 1     e: at work themselves: generation BB, server B, framework 1
packed AS (
  SELECT query_key, start_ns, end_ns, part_start_ns, part_end_ns, covered_rank,
    CAST(CASE phase_rank WHEN 0 THEN 4398046511104 WHEN 1 THEN 2097152 WHEN 2 THEN 1 ELSE 0 END AS BIGINT) AS a,
    CAST(CASE phase_rank WHEN 3 THEN 4398046511104 WHEN 4 THEN 2097152 WHEN 5 THEN 1 ELSE 0 END AS BIGINT) AS b,
    CAST(CASE phase_rank WHEN 6 THEN 4398046511104 WHEN 7 THEN 2097152 WHEN 8 THEN 1 ELSE 0 END AS BIGINT) AS c,
    CAST(CASE phase_rank WHEN 9 THEN 4398046511105 WHEN 7 THEN 2097152 WHEN 8 THEN 2097152 ELSE 0 END AS BIGINT) AS d,
    CAST(CASE WHEN phase_rank IN (0, 1, 2) THEN 4398046511104 WHEN phase_rank IN (3, 4, 6) THEN 2097152
      WHEN phase_rank IN (5, 10) THEN 1 ELSE 0 END AS BIGINT) AS e,
    CAST(CASE covered_rank WHEN 9 THEN 1 WHEN 7 THEN 2097152 WHEN 8 THEN 2097152 ELSE 0 END AS BIGINT) AS covered_d,
    CAST(CASE WHEN covered_rank IN (0, 1, 2) THEN 4398046511104 WHEN covered_rank IN (3, 4, 6) THEN 2097152
      WHEN covered_rank IN (5, 10) THEN 1 ELSE 0 END AS BIGINT) AS covered_e
  FROM parts
),
ends AS (
  SELECT query_key, start_ns AS t, a AS step_a, b AS step_b, c AS step_c,
    CASE WHEN part_start_ns = start_ns THEN d - covered_d ELSE d END AS step_d,
    CASE WHEN part_start_ns = start_ns THEN e - covered_e ELSE e END AS step_e
  FROM packed
  UNION ALL
  SELECT query_key, end_ns AS t, -a AS step_a, -b AS step_b, -c AS step_c,
    CASE WHEN part_end_ns = end_ns THEN covered_d - d ELSE -d END AS step_d,
    CASE WHEN part_end_ns = end_ns THEN covered_e - e ELSE -e END AS step_e
  FROM packed
  UNION ALL
  SELECT query_key, part_start_ns AS t, 0 AS step_a, 0 AS step_b, 0 AS step_c, -covered_d AS step_d,
    -covered_e AS step_e
  FROM packed WHERE covered_rank >= 0 AND part_start_ns <> start_ns
  UNION ALL
  SELECT query_key, part_end_ns AS t, 0 AS step_a, 0 AS step_b, 0 AS step_c, covered_d AS step_d,
    covered_e AS step_e
  FROM packed WHERE covered_rank >= 0 AND part_end_ns <> end_ns
),
counts AS (
  SELECT query_key, lead(t) OVER open_now - t AS lasted_ns,
    CAST(sum(step_a) OVER open_now AS BIGINT) AS a, CAST(sum(step_b) OVER open_now AS BIGINT) AS b,
    CAST(sum(step_c) OVER open_now AS BIGINT) AS c, CAST(sum(step_d) OVER open_now AS BIGINT) AS d,
    CAST(sum(step_e) OVER open_now AS BIGINT) AS e
  FROM ends
  WINDOW open_now AS (PARTITION BY query_key ORDER BY t)
),
owned AS (
  SELECT query_key, lasted_ns,
    CASE
      WHEN a >= 4398046511104 THEN 0 WHEN a >= 2097152 THEN 1 WHEN a > 0 THEN 2
      WHEN b >= 4398046511104 THEN 3 WHEN b >= 2097152 THEN 4 WHEN b > 0 THEN 5
      WHEN c >= 4398046511104 THEN 6 WHEN c >= 2097152 THEN 7 WHEN c > 0 THEN 8
      WHEN d >= 4398046511104 THEN 9 ELSE 10
    END AS phase_rank,
    CASE WHEN e >= 4398046511104 THEN 1 ELSE 0 END AS generation,
    CASE WHEN e % 4398046511104 >= 2097152 THEN 1 ELSE 0 END AS server,
    CASE WHEN e % 2097152 > 0 THEN 1 ELSE 0 END AS framework,
    CASE WHEN d % 4398046511104 >= 2097152 THEN 1 ELSE 0 END AS network,
    CASE WHEN d % 2097152 > 0 THEN 1 ELSE 0 END AS tool
  FROM counts WHERE lasted_ns > 0
),
