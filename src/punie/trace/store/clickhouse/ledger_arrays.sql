-- The ledger where the rows already lie: what `analysis/ledger/ledger.py` defines, to the nanosecond, in ClickHouse's
-- words. Each server works on the queries that it has: arithmetic on a query's arrays, no join and no window.
--
-- In:  a row a query with a root: query_key (of any type), spans_of (its spans, see `single`).
-- Out: by `texts.py`, which puts both ends in their place: a row a query and phase, or sums over whole traces.
--
-- phase ranks are places in `model.Phase`:
--   0 decode, 1 prefill, 2 model (generation) · 3 queue, 4 template (server) · 5 parse (framework)
--   6 serve (server) · 7 retry, 8 http (network) · 9 tool (tool) · 10 framework (framework)
-- provenance ranks are places in `model.Provenance`: 0 server, 1 client, 2 stream, 3 body, 4 inferred.
--
-- Fifteen counts are packed, three in each of five sums: 1 is 1, B = 2^21 = 2097152, BB = 2^42 = 4398046511104.
--   a: decode BB, prefill B, model 1      b: queue BB, template B, parse 1      c: serve BB, retry B, http 1
--   d: tool BB, and at work themselves: network B, tool 1     e: at work themselves: generation BB, server B, framework 1
--
-- No lambda names an array from outside itself: ClickHouse would copy the array for every element.
WITH
-- A query's spans, each once: 1 id, 2 start - end, 3 start, 4 phase, 5 provenance, 6 parent, 7 has a parent, 8 is the root
single AS (
  SELECT query_key, spans_of, arrayFirst(x -> x.8 = 1, spans_of) AS root, root.3 AS low_ns, root.3 + greatest(-root.2, 0) AS high_ns
  FROM (
  $SPANS
  )
),
-- |------ root ------|
--      |---- span ----|     what is outside the query's window is cut off; an inverted span has no length
alive AS (
  SELECT query_key, low_ns, high_ns,
    arrayFilter(x -> x.3 > x.2, arrayMap(
      x -> (x.1, greatest(x.3, low_ns), least(x.3 - x.2, high_ns), x.4, x.5, x.6, x.7),
      arrayFilter(x -> x.2 < 0, spans_of)
    )) AS open
  FROM single
),
-- Each span, and after it the ends of its children by time: +1 where one starts, before -1 where one ends. Where their
-- sum leaves 0 and comes back to it the children together begin and end to cover their parent.
families AS (
  SELECT query_key, low_ns, high_ns, open,
    arrayFilter(x -> x.7 = 1, open) AS below,
    arraySort(f -> bitShiftLeft(toInt128(f.1), 64) + f.3 * 2 + (f.4 > 0), arrayConcat(
      arrayMap(x -> (x.1, 0, toInt64(0), 0, x.4, x.2, x.3), open),
      arrayMap(x -> (x.6, 1, x.2, -1, toInt64(0), toInt64(0), toInt64(0)), below),
      arrayMap(x -> (x.6, 1, x.3, 1, toInt64(0), toInt64(0), toInt64(0)), below)
    )) AS family
  FROM alive
),
turns AS (
  SELECT query_key, low_ns, high_ns, open,
    arrayFilter((x, f, p, n) -> f.2 = 1 AND p.2 = 0 AND p.1 = f.1 AND n = if(f.4 < 0, 1, 0),
      arrayMap((f, p) -> (least(greatest(f.3, p.6), p.7), p.5, 0, f.4), family, arrayFill(x -> x.2 = 0, family) AS parents),
      family, parents, arrayCumSum(f -> -f.4, family)
    ) AS covers
  FROM families
),
edges AS (
  SELECT query_key, low_ns, high_ns, open,
    arraySort(x -> x.1, arrayConcat(
      arrayMap(x -> (x.2, x.4, 1, 1), open), arrayMap(x -> (x.3, x.4, -1, -1), open), covers
    )) AS ends
  FROM turns
),
steps AS (
  SELECT query_key, low_ns, high_ns, open, ends.1 AS t, ends.2 AS rank, ends.3 AS step, ends.4 AS own_step FROM edges
),
owned AS (
  SELECT query_key, low_ns, high_ns, open,
    arrayFilter(x -> x.2 > 0, arrayMap(
      (lasted_ns, a, b, c, d, e) -> (
        multiIf(a >= 4398046511104, 0, a >= 2097152, 1, a > 0, 2, b >= 4398046511104, 3, b >= 2097152, 4, b > 0, 5,
          c >= 4398046511104, 6, c >= 2097152, 7, c > 0, 8, d >= 4398046511104, 9, 10) AS owner,
        lasted_ns,
        if((e >= 4398046511104 AND owner NOT IN (0, 1, 2)) OR (e % 4398046511104 >= 2097152 AND owner NOT IN (3, 4, 6))
          OR (e % 2097152 > 0 AND owner NOT IN (5, 10)) OR (d % 4398046511104 >= 2097152 AND owner NOT IN (7, 8))
          OR (d % 2097152 > 0 AND owner != 9), lasted_ns, 0)
      ),
      arrayMap((next, now) -> next - now, arrayConcat(arrayPopFront(t), arraySlice(t, -1)), t),
      arrayCumSum((r, s) -> s * transform(r, [0, 1, 2], [4398046511104, 2097152, 1], 0), rank, step),
      arrayCumSum((r, s) -> s * transform(r, [3, 4, 5], [4398046511104, 2097152, 1], 0), rank, step),
      arrayCumSum((r, s) -> s * transform(r, [6, 7, 8], [4398046511104, 2097152, 1], 0), rank, step),
      arrayCumSum((r, s, o) -> s * if(r = 9, 4398046511104, 0) + o * transform(r, [7, 8, 9], [2097152, 2097152, 1], 0),
        rank, step, own_step),
      arrayCumSum((r, o) -> o * transform(r, [0, 1, 2, 3, 4, 6, 5, 10],
        [4398046511104, 4398046511104, 4398046511104, 2097152, 2097152, 2097152, 1, 1], 0), rank, own_step)
    )) AS parts
  FROM steps
)
$RESULT
