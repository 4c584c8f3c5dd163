-- Kinds of log entries: one row per severity, log, status, slice of time, pace and wording. Log Analytics keeps
-- repeated deliveries: entries that have everything in common are counted once, as when they are read.
WITH lines AS (
  SELECT
    timestamp AS moment,
    IFNULL(severity, 'DEFAULT') AS gravity,
    log_id AS log,
    trace AS origin,
    JSON_VALUE(labels, '$.instanceId') AS instance,
    http_request.status AS answer,
    http_request.latency.seconds + IFNULL(http_request.latency.nanos, 0) / 1e9 AS took_s,
    TIMESTAMP_DIFF(receive_timestamp, timestamp, MICROSECOND) / 1e6 AS arrived_s,
    SUBSTR(COALESCE(
      NULLIF(text_payload, ''),
      JSON_VALUE(json_payload, '$.message'),
      CONCAT(http_request.request_method, ' ', http_request.request_url),
      NULLIF(proto_payload.audit_log.status.message, ''),
      proto_payload.audit_log.method_name,
      TO_JSON_STRING(json_payload),
      ''
    ), 1, {longest}) AS said,
    SUBSTR(COALESCE(
      JSON_VALUE(json_payload, '$.stack_trace'),
      JSON_VALUE(json_payload, '$.exception'),
      ''
    ), 1, {longest}) AS trail
  {entries}
),
single AS (
  SELECT
    moment, gravity, log, answer, took_s, said, trail, origin, instance,
    MIN(arrived_s) - IFNULL(took_s, 0) AS late_s,
    COUNT(*) AS copies
  FROM lines
  GROUP BY moment, gravity, log, answer, took_s, said, trail, origin, instance
),
worded AS (
  SELECT
    *,
    IF(answer IS NULL, IFNULL(REGEXP_EXTRACT(said, r'''{first_line}'''), ''), '') AS opening,
    IF(
      STRPOS(said, 'Traceback (most recent call last):') > 0,
      IFNULL(REGEXP_EXTRACT(said, r'''{raised}'''), ''),
      ''
    ) AS ending
  FROM single
),
kinds AS (
  SELECT
    *,
    REGEXP_REPLACE(opening, r'''{variable}''', '<*>') AS kind,
    REGEXP_REPLACE(ending, r'''{variable}''', '<*>') AS raised,
    DIV(TIMESTAMP_DIFF(moment, @start, MICROSECOND), @slice_us) AS slice,
    CAST(FLOOR(LN(GREATEST(took_s, 0.0001)) / LN({pace})) AS INT64) AS pace
  FROM worded
)
SELECT
  gravity AS severity,
  log,
  answer AS status,
  MIN(moment) AS time,
  COUNT(*) AS entries,
  SUM(copies) AS copies,
  MAX(took_s) AS latency_s,
  MAX(late_s) AS late_s,
  MIN_BY(said, moment) AS message,
  MIN_BY(trail, moment) AS stack,
  SUM(COUNT(*)) OVER () AS total
FROM kinds
GROUP BY gravity, log, answer, slice, pace, kind, raised
ORDER BY gravity IN ('ERROR', 'CRITICAL', 'ALERT', 'EMERGENCY') DESC, entries DESC, time
LIMIT {most}
