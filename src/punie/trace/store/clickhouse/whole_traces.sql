-- One row a trace of the relation otel_spans (columns as the Collector's exporter names them): its part, its state, its wall time
-- and its spans as the ledger reads them. ClickHouse knows no tree, so only traces of one plain shape are taken:
--
--   query (the one parentless span)
--     agents and tools, in each other · chat in any of these
--       POST in a chat · the server's span in a POST · spans that name their phase, without children, in any of these
--
-- each span inside its parent's time (of one machine alone: each agent, tool and chat, the others for nine tenths), all ids sound, copies of a span equal, all chats of one instrumentation, no failed request without a phase of its own, no
-- span of another framework's words, none whose status is a tag, no chat whose requests leave it open what it waited for (`analysis/queries/outlasting.py`:
-- each shows its generation, or one request all but fills it). In that shape the rules of `analysis/ledger/phases.py` need only
-- what is right above and right below a span, and clocks are never shifted. Any other trace is in the state `tree`: it is counted, and that is all.
--
-- Roles and ranks as in `store/in_database/spans.sql`, which tells what each span is by its own words.
WITH
named AS (
  $NAMED
),
-- Numbers are brought together a column each, small ones in one: ClickHouse is slow at arrays of tuples there.
gathered AS (
  SELECT TraceId, $PART AS part, max(is_odd) OR minIf(scope, role = 1) != maxIf(scope, role = 1)
      OR minIf(named.is_warmup, is_top) != maxIf(named.is_warmup, is_top) OR minIf(named.is_failed, is_top) != maxIf(named.is_failed, is_top) AS is_odd, max(is_top AND is_warmup) AS is_warmup, max(is_top AND is_failed) AS is_failed,
    $ONE_MACHINE AS is_one_machine,
    groupArray(id) AS ids, groupArray(parent) AS above, groupArray(start_ns) AS starts, groupArray(end_ns) AS ends,
    groupArray(toUInt32(is_top + 2 * (NOT to_headers) + 4 * asks + 8 * role + 128 * (phase + 1) + 2048 * how)) AS facts
  FROM named GROUP BY TraceId
),
-- 1 id, 2 parent, 3 is_top, 4 start, 5 end, 6 role, 7 phase, 8 how, 9 lasts to the last byte, 10 may ask a model
without_copies AS (
  SELECT TraceId, part, is_odd, is_warmup, is_failed, is_one_machine,
    arrayMap((id, above, start, end, f) -> (id, above, bitTest(f, 0), start, end, toUInt8(bitAnd(intDiv(f, 8), 15)), toInt8(bitAnd(intDiv(f, 128), 15)) - 1,
        toUInt8(intDiv(f, 2048)), bitTest(f, 1), bitTest(f, 2)),
      arrayFilter((x, n) -> n = 1, ids, copy), arrayFilter((x, n) -> n = 1, above, copy), arrayFilter((x, n) -> n = 1, starts, copy),
      arrayFilter((x, n) -> n = 1, ends, copy), arrayFilter((x, n) -> n = 1, facts, copy)) AS found
  FROM (SELECT *, arrayEnumerateUniq(ids, above, starts, ends, facts) AS copy FROM gathered)
),
-- A span, then its children: what a running count gained from one span to the next is what its children have. (Steps
-- that name an array many times stand apart: ClickHouse's analyzer copies what a name stands for, each time.)
families AS (
  SELECT TraceId, part, is_odd, is_warmup, is_failed, is_one_machine, found,
    arraySort(f -> toInt128(f.1) * 2 + f.2, arrayConcat(
      arrayMap(x -> (x.1, 0, x), found), arrayMap(x -> (x.2, 1, x), arrayFilter(x -> NOT x.3, found))
    )) AS family
  FROM without_copies
),
counted AS (
  SELECT TraceId, part, is_odd, is_warmup, is_failed, is_one_machine, found,
    family, arrayMap(f -> f.2 = 0, family) AS is_self,
    arrayCumSum(f -> f.2 = 1 AND f.3.6 = 6, family) AS phases,
    arrayCumSum(f -> f.2 = 1 AND f.3.6 = 6 AND f.3.7 IN (0, 1, 2), family) AS generations,
    arrayCumSum(f -> f.2 = 1 AND f.3.6 = 6 AND f.3.7 IN (0, 1, 2) AND f.3.8 = 3, family) AS bodies,
    arrayCumSum(f -> f.2 = 1 AND f.3.6 = 5, family) AS servers,
    arrayFilter((n, s) -> s, phases, is_self) AS p, arrayFilter((n, s) -> s, generations, is_self) AS g,
    arrayFilter((n, s) -> s, bodies, is_self) AS b, arrayFilter((n, s) -> s, servers, is_self) AS s
  FROM families
),
-- 1 the span; whether right below it are: 2 phases, 3 generation, 4 generation told by the body, 5 a server's span
parents AS (
  SELECT TraceId, part, is_odd, is_warmup, is_failed, is_one_machine, found,
    arrayMap((f, p0, p1, g0, g1, b0, b1, s0, s1) -> (f.3, p1 > p0, g1 > g0, b1 > b0, s1 > s0),
      arrayFilter((f, s) -> s, family, is_self), p, arrayPushBack(arrayPopFront(p), phases[-1]),
      g, arrayPushBack(arrayPopFront(g), generations[-1]), b, arrayPushBack(arrayPopFront(b), bodies[-1]),
      s, arrayPushBack(arrayPopFront(s), servers[-1])) AS known
  FROM counted
),
grandparents AS (
  SELECT TraceId, part, is_odd, is_warmup, is_failed, is_one_machine, found,
    arraySort(f -> toInt128(f.1) * 2 + f.2, arrayConcat(
      arrayMap(k -> (k.1.1, 0, k), known), arrayMap(k -> (k.1.2, 1, k), arrayFilter(k -> NOT k.1.3, known))
    )) AS family
  FROM parents
),
counted_again AS (
  SELECT TraceId, part, is_odd, is_warmup, is_failed, is_one_machine, found,
    family, arrayMap(f -> f.2 = 0, family) AS is_self,
    arrayCumSum(f -> f.2 = 1 AND f.3.1.6 = 5 AND f.3.3, family) AS served,
    arrayCumSum(f -> f.2 = 1 AND ((f.3.1.6 = 4 AND ((f.3.1.9 AND f.3.1.10) OR f.3.3 OR f.3.5)) OR f.3.1.7 IN (0, 1, 2)), family) AS finer,
    arrayCumSum(f -> f.2 = 1 AND f.3.1.6 = 4 AND f.3.5, family) AS answered,
    arrayFilter((n, s) -> s, served, is_self) AS v, arrayFilter((n, s) -> s, finer, is_self) AS w,
    arrayFilter((n, s) -> s, answered, is_self) AS y
  FROM grandparents
),
-- 1 what was known, 2 a server below it shows its generation (of a POST); of a chat: 3 something finer is below it,
-- 4 a server's span is
looked AS (
  SELECT TraceId, part, is_odd, is_warmup, is_failed, is_one_machine, found,
    arrayMap((f, v0, v1, w0, w1, y0, y1) -> (f.3, v1 > v0, w1 > w0, y1 > y0), arrayFilter((f, s) -> s, family, is_self),
      v, arrayPushBack(arrayPopFront(v), served[-1]), w, arrayPushBack(arrayPopFront(w), finer[-1]),
      y, arrayPushBack(arrayPopFront(y), answered[-1])) AS known
  FROM counted_again
),
placed AS (
  SELECT TraceId, part, is_odd, is_warmup, is_failed, is_one_machine, found, arrayFirst(k -> k.1.1.3, known) AS root,
    arraySort(f -> toInt128(f.1) * 2 + f.2, arrayConcat(
      arrayMap(k -> (k.1.1.1, 0, k), known), arrayMap(k -> (k.1.1.2, 1, k), arrayFilter(k -> NOT k.1.1.3, known))
    )) AS family
  FROM looked
),
linked AS (
  SELECT TraceId, part, is_odd, is_warmup, is_failed, is_one_machine, found, root,
    arrayFilter(z -> z.3 = 1, arrayMap((f, above) -> (f.3, above.3, f.2, above.2 = 0 AND above.1 = f.1), family,
      arrayFill(f -> f.2 = 0, family))) AS links
  FROM placed
),
-- The span of a link is z.1.1.1, its parent z.2.1.1.
judged AS (
  SELECT TraceId, part, root,
    has(found.6, 1) AND arrayAll(z -> z.1.1.1.6 != 1 OR z.1.4, links) AS is_network_known,
    arrayFilter(z -> NOT (z.1.1.1.6 = 6 AND z.2.1.1.6 = 4
      AND ((z.1.1.1.8 = 2 AND (z.2.2 OR z.2.1.4)) OR (z.1.1.1.8 = 3 AND z.2.2))), links) AS kept,
    multiIf(is_odd OR arrayCount(x -> x.3, found) != 1 OR root.1.1.5 < root.1.1.4
        OR length(arrayDistinct(found.1)) != length(found)
        OR arrayMin(found.4) < $EARLIEST_NS OR arrayMax(found.5) > toUnixTimestamp64Nano(now64(9)) + $DAY_NS
        OR root.1.1.5 - root.1.1.4 > $LONGEST_NS
        OR arrayExists(z -> NOT z.4 OR z.1.1.1.5 < z.1.1.1.4
          OR ((z.1.1.1.4 < z.2.1.1.4 OR z.1.1.1.5 > z.2.1.1.5) AND (NOT is_one_machine OR z.1.1.1.6 IN (1, 2, 3)))
          OR (z.2.1.1.6 != 7 AND (z.1.1.1.5 - z.2.1.1.5) * 10 > z.1.1.1.5 - z.1.1.1.4)
          OR (z.1.1.1.6 IN (2, 3) AND z.1.1.1.4 = z.2.1.1.4 AND z.1.1.1.5 = z.2.1.1.5)
          OR (z.1.1.1.6 IN (1, 2, 3) AND z.2.1.1.6 NOT IN (2, 3, 7))
          OR (z.1.1.1.6 = 4 AND z.2.1.1.6 != 1) OR (z.1.1.1.6 = 5 AND z.2.1.1.6 != 4) OR z.2.1.1.6 = 6
          OR (z.1.1.1.8 IN (2, 3) AND z.2.1.1.6 = 5), links)
        OR arrayCount(z -> z.1.1.1.6 = 1 AND z.1.3, links) != arrayUniq(arrayMap(z -> z.2.1.1.1, arrayFilter(
          z -> z.2.1.1.6 = 1 AND z.2.3 AND (z.1.1.1.7 IN (0, 1, 2) OR z.1.1.3 OR z.1.2 OR (z.1.1.1.6 = 4 AND
            (least(z.1.1.1.5, z.2.1.1.5) - greatest(z.1.1.1.4, z.2.1.1.4)) * 100
              >= (z.2.1.1.5 - z.2.1.1.4) * (100 - $AFTER_PERCENT))), links))), 'tree',
      is_warmup, 'warm-up', is_failed, 'failed', 'counted') AS state
  FROM linked
)
SELECT TraceId, part, state, root.1.1.5 - root.1.1.4 AS root_ns, is_network_known,
  arrayMap(k -> (k.1.1.1, if(k.1.1.3, NULL, k.1.1.2), k.1.1.4, k.1.1.5,
    multiIf(k.1.1.7 >= 0, (k.1.1.7, k.1.1.8), k.1.1.6 = 1, if(k.3, (10, 1), (2, 4)), k.1.1.6 = 2, (9, 1),
      k.1.1.6 = 4, if(k.1.1.10 AND NOT k.1.5, (2, 4), (8, 1)), k.1.1.6 = 5, if(k.1.2, (6, 0), (2, 4)), (10, 1)) AS is,
    is.1, is.2, k.1.1.3), arrayPushFront(kept.1, root)) AS members
FROM judged
