-- What a span is by its own words, for every engine: its role, its phase, whether the tree is needed to judge it.
-- $WORDS is a relation with a row a span. Its columns, never NULL, and the conditions $has_… are listed in `spans.py`.
--
-- Roles: 1 chat, 2 tool, 3 agent, 4 HTTP, 5 server, 6 a phase by its own word, 7 query. Ranks of phases and provenances
-- are places in `model.Phase` and `model.Provenance`; -1: no phase is named.
SELECT *, role = 4 AND CASE WHEN $has_ends_at THEN ends_at = $HEADERS ELSE $SCOPE_TO_HEADERS END AS to_headers,
  CASE WHEN role <> 1 THEN '' WHEN request_model <> '' THEN request_model ELSE response_model END AS asked,
  CASE WHEN role = 5 THEN response_model ELSE '' END AS served,
  ok = 'false' OR $has_query_error OR $has_disturbed OR error_type <> '' OR is_error AS is_failed,
  NOT is_sound OR $has_reference OR $has_status_tag OR $FOREIGN_SCOPE
    OR startsWith(sglang_module, $SGLANG_MODULES)
    OR (NOT is_chat AND operation NOT IN ('', $TOOL, $AGENT)) OR (role = 5 AND operation IN ($TOOL, $AGENT))
    OR CASE WHEN operation = '' OR is_chat THEN $has_foreign ELSE false END
    OR CASE WHEN operation = '' AND role NOT IN (5, 6) THEN $has_telling OR $FIRST_WORDS ELSE false END
    OR CASE WHEN operation = '' THEN $has_template OR $BEGINS
      OR replaceRegexpAll(lower(span_name), '[^a-z]', '') IN ($WORKFLOWS) ELSE false END
    OR $has_spelled OR $has_printed
    OR (role = 5 AND phase < 0 AND $has_latency)
    OR (role IN (1, 4) AND phase < 0 AND (is_error OR error_type <> '' OR toInt64OrZero(status) >= 400))
    OR (role = 1 AND phase < 0 AND has_exception)
    OR (role = 1 AND output_tokens IN ('', '0') AND CASE WHEN finish_reasons = '' THEN $has_answer ELSE true END)
    OR (role = 6 AND phase < 0) OR (role <> 6 AND how IN (2, 3))
    OR is_top <> is_query OR is_query <> (role = 7) AS is_odd
FROM (
  SELECT *, CASE WHEN is_server THEN 5 WHEN is_chat THEN 1 WHEN operation = $TOOL THEN 2 WHEN operation = $AGENT THEN 3
      WHEN method <> '' THEN 4 WHEN is_query THEN 7 ELSE 6 END AS role, upper(method) IN ('POST', '_OTHER') AS asks
  FROM (
    SELECT *, CASE phase_word $PHASES ELSE -1 END AS phase, CASE provenance_word $PROVENANCES ELSE 1 END AS how,
      operation IN ($CHATS) AS is_chat, warmup = 'true' AS is_warmup, $has_query_id OR warmup = 'true' AS is_query,
      CASE WHEN $has_method THEN new_method ELSE old_method END AS method,
      CASE WHEN $has_status THEN new_status ELSE old_status END AS status
    FROM ($WORDS) AS words
  ) AS named
) AS placed
