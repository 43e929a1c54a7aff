-- What a span is by its own words, for every engine: its role, its phase, whether the tree is needed to judge it.
-- $WORDS is a relation with a row a span. Its columns, never NULL, and the conditions $has_… are listed in `spans.py`.
--
-- Roles: 1 chat, 2 tool, 3 agent, 4 HTTP, 5 server, 6 a phase by its own word, 7 query. Ranks of phases and provenances
-- are places in `model.Phase` and `model.Provenance`; -1: no phase is named.
SELECT *, role = 4 AND CASE WHEN $has_ends_at THEN ends_at = 1 ELSE $SCOPE_TO_HEADERS END AS to_headers,
  CASE WHEN role <> 1 THEN '' WHEN request_model <> '' THEN request_model ELSE response_model END AS asked,
  CASE WHEN role = 5 THEN response_model ELSE '' END AS served,
  is_wrong = 1 OR CASE WHEN $has_query_error THEN query_error <> '' ELSE false END OR disturbed = 1 OR error = 1
    OR is_error OR status >= 400 AS is_failed,
  NOT is_sound OR $has_reference OR $has_status_tag OR $FOREIGN_SCOPE
    OR CASE WHEN $has_module THEN startsWith(sglang_module, $SGLANG_MODULES) ELSE false END
    OR operation = 4 OR (role = 5 AND operation IN (2, 3))
    OR CASE WHEN operation IN (0, 1) THEN $has_foreign ELSE false END
    OR CASE WHEN operation = 0 AND role NOT IN (5, 6) THEN $has_telling OR $FIRST_WORDS ELSE false END
    OR CASE WHEN operation = 0 THEN $has_template OR $BEGINS ELSE false END
    OR CASE WHEN operation = 0 AND length(span_name) >= $SHORTEST
      THEN replaceRegexpAll(lower(span_name), '[^a-z]', '') IN ($WORKFLOWS) ELSE false END
    OR $has_spelled OR $has_printed
    OR (role = 5 AND phase < 0 AND $has_latency)
    OR (role IN (1, 4) AND phase < 0 AND (is_error OR error = 1 OR status >= 400))
    OR (role IN (1, 4, 7) AND status = 0 AND status_text NOT IN ('', '0'))
    OR warmup = 2 OR is_wrong = 2
    OR $NO_TEXT
    OR (role = 1 AND phase < 0 AND has_exception)
    OR (role = 1 AND output = 0 AND CASE WHEN finish = 0 THEN $has_answer ELSE true END)
    OR (role = 6 AND phase < 0) OR (role <> 6 AND how IN (2, 3))
    OR is_top <> is_query OR is_query <> (role = 7) AS is_odd
FROM (
  SELECT *, CASE WHEN is_server THEN 5 WHEN operation IN (1, 2, 3) THEN operation WHEN method > 0 THEN 4
      WHEN is_query THEN 7 ELSE 6 END AS role, method = 1 AND status NOT BETWEEN 300 AND 399 AS asks
  FROM (SELECT *, toInt64OrZero(status_text) AS status FROM (
    SELECT *, phase_told - 1 AS phase, CASE WHEN how_told = 0 THEN 1 ELSE how_told - 1 END AS how,
      warmup = 1 AS is_warmup, $has_query_id OR warmup = 1 AS is_query,
      CASE WHEN $has_method THEN new_method ELSE old_method END AS method,
      CASE WHEN $has_status THEN new_status WHEN $has_old_status THEN old_status ELSE '' END AS status_text
    FROM ($WORDS) AS words) AS read
  ) AS named
) AS placed
