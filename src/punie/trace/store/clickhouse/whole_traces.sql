-- One row a trace of the relation otel_spans (columns as the Collector's exporter names them): its part, its state, its wall time
-- and its spans as the ledger reads them. ClickHouse knows no tree, so only traces of one plain shape are taken:
--
--   query (the one parentless span)
--     agents and tools, in each other · chat in any of these
--       POST in a chat · the server's span in a POST · spans that name their phase, without children, in any of these
--
-- each span inside its parent's time (of one machine alone: each agent, tool and chat, the others for nine tenths), all ids sound, copies of a span equal, all chats of one instrumentation, no failed request without a phase of its own, no
-- span of another framework's words, none whose status is a tag, no link with a trace that has no query of ours, no chat whose requests leave it open what it waited for (`analysis/queries/outlasting.py`:
-- each shows its generation, or one request all but fills it). In that shape the rules of `analysis/ledger/phases.py` need only
-- what is right above and right below a span, and clocks are never shifted. Any other trace is in the state `tree`: it is counted, and that is all.
--
-- Roles and ranks as in `store/in_database/spans.sql`, which tells what each span is by its own words.
--
-- ClickHouse is fast where arrays are of plain numbers and few: a span is one number of 256 bits until its trace is
-- together, and whether a span is among others is looked up by arrayEnumerateDense, which numbers values in the order
-- in which they first appear. No lambda names an array from outside itself: it would be copied for every element.
WITH
named AS (
  $NAMED
),
-- 64 bits id, 64 parent, 62 start, 52 how long, 14 facts: 1 is_top, 2 lasts to the last byte, 4 may ask a model, 8 role, 64 phase + 1, 1024 how
packed AS (
  SELECT TraceId, ${OF_PART}is_top, $MACHINES, role = 1 AS is_chat, cityHash64(scope) AS instrumentation, start_ns,
    toUInt8((is_odd OR end_ns < start_ns OR end_ns - start_ns > $LONGEST_NS OR start_ns >= 4611686018427387904)
      + if(is_top, if(is_warmup, 2, 4) + if(is_failed, 8, 16), 0)) AS flags,
    bitOr(bitShiftLeft(bitOr(bitShiftLeft(toUInt256(id), 64), parent), 128), bitOr(bitShiftLeft(toUInt128(start_ns), 66),
      bitShiftLeft(toUInt128(bitAnd(end_ns - start_ns, 4503599627370495)), 14)
        + toUInt64(is_top + 2 * (NOT to_headers) + 4 * asks + 8 * role + 64 * (phase + 1) + 1024 * how))) AS span
  FROM named
),
gathered AS (
  SELECT TraceId, $PART AS part, groupBitOr(flags) AS flags, $ONE_MACHINE AS is_one_machine,
    minIf(instrumentation, is_chat) != maxIf(instrumentation, is_chat) AS has_scopes, groupArray(span) AS copies
  FROM packed GROUP BY TraceId
),
once AS (
  SELECT TraceId, part, bitTest(flags, 1) AS is_warmup, bitTest(flags, 3) AS is_failed, is_one_machine,
    arrayUniq(arrayMap(x -> bitShiftRight(x, 192), copies)) AS size,
    if(size = length(copies), copies, arrayDistinct(copies)) AS found,
    bitTest(flags, 0) OR has_scopes OR bitAnd(flags, 6) = 6 OR bitAnd(flags, 24) = 24 OR size != length(found)
      OR NOT match(TraceId, '^[0-9a-f]{32}$$')$LINKED AS is_unsound
  FROM gathered
),
spans AS (
  SELECT TraceId, part, is_warmup, is_failed, is_one_machine, is_unsound, arraySlice(found, 1, if(is_unsound, 0, size)) AS sound,
    arrayMap(x -> toUInt64(bitShiftRight(x, 192)), sound) AS ids, arrayMap(x -> toUInt64(bitShiftRight(x, 128)), sound) AS parents,
    arrayMap(x -> toUInt128(x), sound) AS rest
  FROM once
),
-- Numbers in place of ids: a span's is its place, what is no span's is more than there are.
numbered AS (
  SELECT TraceId, part, is_warmup, is_failed, is_one_machine, is_unsound, ids, arrayEnumerate(ids) AS numbers,
    arraySlice(arrayEnumerateDense(arrayConcat(ids, parents)), length(ids) + 1) AS above,
    arrayMap(x -> toInt64(bitShiftRight(x, 66)), rest) AS starts,
    arrayMap(x -> toInt64(bitAnd(toUInt64(bitShiftRight(x, 14)), 4503599627370495)), rest) AS lengths,
    arrayMap(x -> toUInt16(bitAnd(toUInt64(x), 16383)), rest) AS facts
  FROM spans
),
-- A span, then those that it is the parent of; the top is its own.
families AS (
  SELECT TraceId, part, is_warmup, is_failed, is_one_machine, ids,
    is_unsound OR arrayCount(f -> bitTest(f, 0), facts) != 1 OR arrayExists((p, n, f) -> p > n AND NOT bitTest(f, 0), above, arrayWithConstant(length(ids), length(ids)), facts)
      OR arrayMin(starts) < $EARLIEST_NS OR arrayMax((s, d) -> s + d, starts, lengths) > toUnixTimestamp64Nano(now64(9)) + $DAY_NS AS is_odd,
    arrayFirst((s, f) -> bitTest(f, 0), starts, facts) AS low_ns, low_ns + arrayFirst((d, f) -> bitTest(f, 0), lengths, facts) AS high_ns,
    arrayConcat(arrayMap(n -> n * 2, numbers), arrayMap((p, n, f) -> if(bitTest(f, 0), n, p) * 2 + 1, above, numbers, facts)) AS places,
    arraySort((x, place) -> place, arrayZip(arrayConcat(starts, starts), arrayMap((s, d) -> s + d, arrayConcat(starts, starts), arrayConcat(lengths, lengths)),
      arrayConcat(facts, facts), arrayConcat(numbers, numbers), arrayConcat(above, above), places), places) AS family
  FROM numbered
),
-- 1 start, 2 end, 3 role, 4 phase, 5 how, 6 may ask a model, 7 and lasts to the last byte, 8 its number; its parent's: 9 start,
-- 10 end, 11 role, 12 number, 13 number of its own parent
links AS (
  SELECT TraceId, part, is_warmup, is_failed, is_one_machine, ids, is_odd, low_ns, high_ns,
    arrayMap((x, p) -> (x.1, x.2, bitAnd(bitShiftRight(x.3, 3), 7), toInt8(bitAnd(bitShiftRight(x.3, 6), 15)) - 1, bitShiftRight(x.3, 10),
        bitTest(x.3, 2), bitAnd(x.3, 6) = 6, x.4, p.1, p.2, bitAnd(bitShiftRight(p.3, 3), 7), p.4, p.5),
      arrayFilter(x -> x.6 % 2, family), arrayFilter((x, c) -> c.6 % 2, arrayFill(x -> x.6 % 2 = 0, family), family)) AS found
  FROM families
),
-- `finer`: calls with something finer below them, requests with a server's span, servers with phases. `better`: what a
-- better source tells: twice the number of a request whose server shows its generation, and 1 more where the stream's isn't needed.
told_of AS (
  SELECT TraceId, part, is_warmup, is_failed, ids, is_odd, is_one_machine, low_ns, high_ns, found,
    arrayDistinct(arrayConcat(
      arrayMap(z -> if((z.3 = 6 AND z.11 = 5) OR (z.3 = 5 AND z.11 = 4) OR (z.11 = 1 AND ((z.3 = 4 AND z.7) OR z.4 IN (0, 1, 2))), z.12, 0), found),
      arrayMap(z -> if(z.11 = 4 AND (z.3 = 5 OR (z.3 = 6 AND z.4 IN (0, 1, 2))), z.13, 0), found))) AS finer,
    arrayDistinct(arrayConcat(arrayMap(z -> if(z.3 = 6 AND z.11 = 5 AND z.4 IN (0, 1, 2), z.13 * 2, 0), found),
      arrayMap(z -> if(z.3 = 6 AND z.11 = 5 AND z.4 IN (0, 1, 2), z.13 * 2 + 1, 0), found),
      arrayMap(z -> if(z.3 = 6 AND z.11 = 4 AND z.4 IN (0, 1, 2) AND z.5 = 3, z.12 * 2 + 1, 0), found))) AS better
  FROM links
),
looked AS (
  SELECT TraceId, part, is_warmup, is_failed, ids, is_odd, is_one_machine, low_ns, high_ns, found, finer, better,
    arraySlice(arrayEnumerateDense(arrayConcat(finer, found.8)), length(finer) + 1) AS in_finer,
    arraySlice(arrayEnumerateDense(arrayConcat(better,
      arrayMap(z -> multiIf(z.3 = 4, z.8 * 2, z.3 = 6 AND z.11 = 4 AND z.5 IN (2, 3), z.12 * 2 + (z.5 = 2), 4294967295), found))), length(better) + 1) AS in_better
  FROM told_of
),
known AS (
  SELECT TraceId, part, is_warmup, is_failed, ids, is_odd, is_one_machine, low_ns, high_ns, found,
    arrayMap((n, few) -> n <= few, in_finer, arrayWithConstant(length(found), length(finer))) AS is_finer,
    arrayMap((n, few) -> n <= few, in_better, arrayWithConstant(length(found), length(better))) AS is_better
  FROM looked
),
judged AS (
  SELECT TraceId, part, ids, low_ns, high_ns, found, is_finer, is_better,
    arrayMap(z -> if(z.3 = 5 AND z.11 = 4, z.13, 0), found) AS answered,
    arrayConcat(arrayMap((z, b) -> if(z.11 = 1 AND (z.4 IN (0, 1, 2) OR (z.3 = 4 AND (b
        OR (least(z.2, z.10) - greatest(z.1, z.9)) * 100 >= (z.10 - z.9) * (100 - $AFTER_PERCENT)))), z.12, 0), found, is_better),
      arrayMap(z -> if(z.3 = 6 AND z.11 = 4 AND z.4 IN (0, 1, 2), z.13, 0), found)) AS shown,
    has(found.3, 1) AND arrayUniq(arrayConcat(answered, arrayMap(z -> if(z.3 = 1, z.8, 0), found))) = arrayUniq(answered) AS is_network_known,
    multiIf(is_odd OR arrayExists((z, one) -> z.3 != 7 AND (
            ((z.1 < z.9 OR z.2 > z.10) AND (NOT one OR z.3 IN (1, 2, 3)))
            OR (z.11 != 7 AND (z.2 - z.10) * 10 > z.2 - z.1)
            OR (z.3 IN (2, 3) AND z.1 = z.9 AND z.2 = z.10)
            OR (z.3 IN (1, 2, 3) AND z.11 NOT IN (2, 3, 7))
            OR (z.3 = 4 AND z.11 != 1) OR (z.3 = 5 AND z.11 != 4) OR z.11 = 6
            OR (z.5 IN (2, 3) AND z.11 = 5)), found, arrayWithConstant(length(found), is_one_machine))
        OR arrayUniq(arrayConcat(shown, arrayMap((z, f) -> if(z.3 = 1 AND f, z.8, 0), found, is_finer))) != arrayUniq(shown), 'tree',
      is_warmup, 'warm-up', is_failed, 'failed', 'counted') AS state
  FROM known
)
-- 1 number, 2 parent's number (0: none), 3 start, 4 end, 5 rank of the phase, 6 how
SELECT TraceId, part, state, low_ns, high_ns, is_network_known, ids,
  arrayFilter((m, z, b) -> NOT (z.3 = 6 AND b), arrayMap((z, f) -> (z.8, if(z.3 = 7, 0, z.12), z.1, z.2,
      multiIf(z.4 >= 0, z.4, z.3 = 1, if(f, 10, 2), z.3 = 2, 9, z.3 = 4, if(z.6 AND NOT f, 2, 8), z.3 = 5, if(f, 6, 2), 10),
      multiIf(z.4 >= 0, z.5, z.3 = 1, if(f, 1, 4), z.3 = 4, if(z.6 AND NOT f, 4, 1), z.3 = 5, if(f, 0, 4), 1)), found, is_finer),
    found, is_better) AS members
FROM judged
