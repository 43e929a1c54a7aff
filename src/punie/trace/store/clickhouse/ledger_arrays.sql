-- The ledger where the rows already lie: what `analysis/ledger/ledger.py` defines, to the nanosecond, in ClickHouse's
-- words. Each server works on the queries that it has: arithmetic on a query's arrays, no join and no window.
--
-- In:  a row a query: query_key (of any type), low_ns and high_ns (when it lasts), members (its spans, each once:
--      1 a number, 2 its parent's or 0, 3 start, 4 end, 5 phase, 6 provenance).
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
-- |------ root ------|
--      |---- span ----|     what is outside the query's window is cut off; an inverted span has no length
--
-- 1 number, 2 parent's number, 3 start and 4 end in the query, 5 phase, 6 provenance
alive AS (
  SELECT query_key, low_ns, high_ns,
    arrayFilter(x -> x.4 > x.3, arrayMap(
      (x, low, high) -> (x.1, x.2, greatest(x.3, low) - low, least(x.4, high) - low, x.5, x.6),
      members, arrayWithConstant(length(members), low_ns), arrayWithConstant(length(members), high_ns)
    )) AS open
  FROM (
  $SPANS
  )
),
-- Each span, and after it the ends of its children by time: +1 where one starts, before -1 where one ends. Where their
-- sum leaves 0 and comes back to it the children together begin and end to cover their parent, if it has a length.
--
-- 1 0, 1 or -1, 2 whose, 3 when (of a span itself: its start), 4 its end, 5 its phase
families AS (
  SELECT query_key, low_ns, high_ns, open,
    arrayFilter(x -> x.2 != 0, open) AS below,
    arraySort((f, place) -> place,
      arrayConcat(arrayMap(x -> (0, x.1, x.3, x.4, x.5), open), arrayMap(x -> (1, x.2, x.3, x.4, x.5), below), arrayMap(x -> (-1, x.2, x.4, x.4, x.5), below)),
      arrayConcat(arrayMap(x -> bitShiftLeft(toUInt128(x.1), 64), open),
        arrayMap(x -> bitOr(bitShiftLeft(toUInt128(x.2), 64), toUInt64(x.3 * 2 + 2)), below),
        arrayMap(x -> bitOr(bitShiftLeft(toUInt128(x.2), 64), toUInt64(x.4 * 2 + 3)), below))
    ) AS family
  FROM alive
),
-- Instants, what happens there in their last six bits: four times the phase, and 0 if a span starts, 1 if it ends, 2 if its children begin to cover it, 3 if they end
edges AS (
  SELECT query_key, low_ns, high_ns, open,
    arraySort(arrayConcat(arrayMap(x -> x.3 * 64 + x.5 * 4, open), arrayMap(x -> x.4 * 64 + x.5 * 4 + 1, open),
      arrayMap(c -> c.1, arrayFilter(c -> c.2, arrayMap((f, p, n) -> (least(greatest(f.3, p.3), p.4) * 64 + p.5 * 4 + if(f.1 > 0, 2, 3),
        f.1 != 0 AND p.1 = 0 AND f.2 = p.2 AND n = if(f.1 > 0, 1, 0)), family, arrayFill(f -> f.1 = 0, family), arrayCumSum(f -> f.1, family))))
    )) AS ends
  FROM families
),
steps AS (
  SELECT query_key, low_ns, high_ns, open, arrayMap(x -> toInt64(bitShiftRight(x, 6)), ends) AS t, arrayMap(x -> toUInt8(bitAnd(x, 63)) + 1, ends) AS what FROM edges
),
-- 1 the phase that owns the time, 2 how long, 3 how much of it is contested
owned AS (
  SELECT query_key, low_ns, high_ns, open,
    arrayMap(
      (lasted_ns, a, b, c, d, e) -> (
        multiIf(a >= 4398046511104, 0, a >= 2097152, 1, a > 0, 2, b >= 4398046511104, 3, b >= 2097152, 4, b > 0, 5,
          c >= 4398046511104, 6, c >= 2097152, 7, c > 0, 8, d >= 4398046511104, 9, 10) AS owner,
        lasted_ns,
        if((e >= 4398046511104 AND owner NOT IN (0, 1, 2)) OR (e % 4398046511104 >= 2097152 AND owner NOT IN (3, 4, 6))
          OR (e % 2097152 > 0 AND owner NOT IN (5, 10)) OR (d % 4398046511104 >= 2097152 AND owner NOT IN (7, 8))
          OR (d % 2097152 > 0 AND owner != 9), lasted_ns, 0)
      ),
      arrayMap((next, now) -> next - now, arrayConcat(arrayPopFront(t), arraySlice(t, -1)), t),
      arrayCumSum(arrayMap(x -> $A[x], what)), arrayCumSum(arrayMap(x -> $B[x], what)), arrayCumSum(arrayMap(x -> $C[x], what)),
      arrayCumSum(arrayMap(x -> $D[x], what)), arrayCumSum(arrayMap(x -> $E[x], what))
    ) AS parts
  FROM steps
)
$RESULT
