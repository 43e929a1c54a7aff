-- One row a trace of the relation otel_spans (columns as the Collector's exporter names them): its part, its state, its wall time
-- and its spans as the ledger reads them. ClickHouse knows no tree, so only traces of one plain shape are taken:
--
--   query (the one parentless span)
--     agents and tools, in each other · chat in any of these
--       POST in a chat · the server's span in a POST · spans that name their phase, without children, in any of these
--
-- each span inside its parent's time (of one machine alone: each agent, tool and chat, the others for nine tenths), all ids sound, copies of a span equal, all chats of one instrumentation, no failed request without a phase of its own, no
-- span of another framework's words, none whose status is a tag, no chat with an exception's event, no chat whose requests leave it open what it waited for (`analysis/queries/outlasting.py`:
-- each shows its generation, or one request all but fills it). In that shape the rules of `analysis/ledger/phases.py` need only
-- what is right above and right below a span, and clocks are never shifted. Any other trace is in the state `tree`: it is counted, and that is all.
--
-- Roles: 1 chat, 2 tool, 3 agent, 4 HTTP, 5 server, 6 a phase by its own word, 7 query. Ranks as in the ledger's text.
WITH
named AS (
  SELECT TraceId, ScopeName, ParentSpanId = '' AS is_top, arrayMap(name -> ResourceAttributes[name], $MACHINES) AS machine,
    reinterpretAsInt64(unhex(SpanId)) AS id, reinterpretAsInt64(unhex(ParentSpanId)) AS parent,
    toUnixTimestamp64Nano(Timestamp) AS start_ns, start_ns + reinterpretAsInt64(Duration) AS end_ns,
    indexOf($PHASES, SpanAttributes[$PHASE]) - 1 AS phase,
    multiIf(indexOf($PROVENANCES, SpanAttributes[$PROVENANCE]) = 0, 1, indexOf($PROVENANCES, SpanAttributes[$PROVENANCE]) - 1) AS how,
    SpanAttributes[$OPERATION] AS operation, SpanAttributes[$WARMUP] = 'true' AS is_warmup,
    mapContains(SpanAttributes, $QUERY_ID) OR is_warmup AS is_query,
    if(mapContains(SpanAttributes, $METHOD), SpanAttributes[$METHOD], SpanAttributes[$OLD_METHOD]) AS method,
    toInt64OrZero(if(mapContains(SpanAttributes, $STATUS), SpanAttributes[$STATUS], SpanAttributes[$OLD_STATUS])) AS status,
    multiIf(SpanKind = 'Server', 5, operation IN ($CHATS), 1, operation = $TOOL, 2, operation = $AGENT, 3,
      method != '', 4, is_query, 7, 6) AS role,
    role = 4 AND if(mapContains(SpanAttributes, $ENDS_AT), SpanAttributes[$ENDS_AT] = $HEADERS,
      arrayExists(scope -> startsWith(ScopeName, scope), $HEADERS_SCOPES)) AS to_headers,
    if(role = 1, if(SpanAttributes[$REQUEST_MODEL] != '', SpanAttributes[$REQUEST_MODEL], SpanAttributes[$RESPONSE_MODEL]), '') AS asked,
    if(role = 5, SpanAttributes[$RESPONSE_MODEL], '') AS served,
    StatusCode = 'Error' AS is_error,
    SpanAttributes[$OK] = 'false' OR mapContains(SpanAttributes, $ERROR) OR mapContains(SpanAttributes, $DISTURBED) OR SpanAttributes[$ERROR_TYPE] != '' OR is_error AS is_failed,
    NOT match(TraceId, '^[0-9a-f]{32}$$') OR NOT match(SpanId, '^[0-9a-f]{16}$$') OR id = 0 OR start_ns < 0
      OR (NOT is_top AND (NOT match(ParentSpanId, '^[0-9a-f]{16}$$') OR parent = 0))
      OR mapContains(SpanAttributes, $REFERENCE) OR hasAny(mapKeys(SpanAttributes), $STATUS_TAGS) OR startsWith(ScopeName, $SGLANG_SCOPE)
      OR startsWith(SpanAttributes[$SGLANG_MODULE], $SGLANG_MODULES)
      OR (operation NOT IN ($CHATS) AND operation NOT IN ('', $TOOL, $AGENT)) OR (role = 5 AND operation IN ($TOOL, $AGENT))
      OR ((operation = '' OR operation IN ($CHATS)) AND hasAny(mapKeys(SpanAttributes), $FOREIGN))
      OR (operation = '' AND role NOT IN (5, 6, 7) AND hasAny(mapKeys(SpanAttributes), $TELLING))
      OR (role = 5 AND phase < 0 AND hasAny(mapKeys(SpanAttributes), $LATENCIES))
      OR (role IN (1, 4) AND phase < 0 AND (is_error OR status >= 400 OR SpanAttributes[$ERROR_TYPE] != ''))
      OR (role = 1 AND phase < 0 AND has(EventNames, $EXCEPTION))
      OR (role = 1 AND SpanAttributes[$OUTPUT_TOKENS] IN ('', '0') AND SpanAttributes[$FINISH_REASONS] != '')
      OR (role = 6 AND phase < 0) OR (role != 6 AND how IN (2, 3))
      OR is_top != is_query OR is_query != (role = 7) AS is_odd
  FROM otel_spans
),
-- 1 id, 2 parent, 3 is_top, 4 start, 5 end, 6 role, 7 phase, 8 how, 9 lasts to the last byte, 10 may ask a model
gathered AS (
  SELECT TraceId, $PART AS part, max(is_odd) OR uniqExactIf(ScopeName, role = 1) > 1 AS is_odd, max(is_top AND is_warmup) AS is_warmup, max(is_top AND is_failed) AS is_failed,
    min(machine[-1]) != '' AND arrayAll(names -> length(arrayFilter(name -> name != '', names)) < 2, [groupUniqArray(2)(machine[-1]),
      groupUniqArray(3)(machine[1]), groupUniqArray(3)(machine[2]), groupUniqArray(3)(machine[3])]) AS is_one_machine,
    groupUniqArray((id, parent, is_top, start_ns, end_ns, role, phase, how, NOT to_headers, upper(method) IN ('POST', '_OTHER'))) AS found
  FROM named GROUP BY TraceId
),
-- A span, then its children: what a running count gained from one span to the next is what its children have. (Steps
-- that name an array many times stand apart: ClickHouse's analyzer copies what a name stands for, each time.)
families AS (
  SELECT TraceId, part, is_odd, is_warmup, is_failed, is_one_machine, found,
    arraySort(f -> (f.1, f.2), arrayConcat(
      arrayMap(x -> (x.1, 0, x), found), arrayMap(x -> (x.2, 1, x), arrayFilter(x -> NOT x.3, found))
    )) AS family
  FROM gathered
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
    arraySort(f -> (f.1, f.2), arrayConcat(
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
    arraySort(f -> (f.1, f.2), arrayConcat(
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
