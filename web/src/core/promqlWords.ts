/** Catalogue: aggregators and functions of PromQL with what they take, as Prometheus documents them. */

export interface Word {
  readonly name: string;
  readonly takes: string;
}

const words = (list: string): readonly Word[] => list.trim().split("\n").map((line) => { const [name = "", ...takes] = line.trim().split(" "); return { name, takes: takes.join(" ") }; });

export const AGGREGATORS = words(`
  sum over series
  avg over series
  count of series
  min over series
  max over series
  group one for each group
  stddev over series
  stdvar over series
  topk k, series
  bottomk k, series
  quantile φ, series
  count_values "label", series
  limitk k, series
  limit_ratio ratio, series
`);

export const FUNCTIONS = words(`
  abs vector
  absent vector
  absent_over_time range
  acos vector
  acosh vector
  asin vector
  asinh vector
  atan vector
  atanh vector
  avg_over_time range
  ceil vector
  changes range
  clamp vector, min, max
  clamp_max vector, max
  clamp_min vector, min
  cos vector
  cosh vector
  count_over_time range
  day_of_month vector
  day_of_week vector
  day_of_year vector
  days_in_month vector
  deg vector
  delta range of a gauge
  deriv range of a gauge
  double_exponential_smoothing range, smoothing, trend
  end end of the window
  exp vector
  first_over_time range
  floor vector
  histogram_avg histogram
  histogram_count histogram
  histogram_fraction from, to, histogram
  histogram_quantile φ, buckets
  histogram_quantiles buckets, "label", φ…
  histogram_stddev histogram
  histogram_stdvar histogram
  histogram_sum histogram
  hour vector
  idelta range of a gauge
  increase range of a counter
  info vector, selector
  irate range of a counter
  label_join vector, "to", "between", "source"…
  label_replace vector, "to", "text", "source", "expression"
  last_over_time range
  ln vector
  log10 vector
  log2 vector
  mad_over_time range
  max_of scalars
  max_over_time range
  min_of scalars
  min_over_time range
  minute vector
  month vector
  pi number
  predict_linear range, seconds
  present_over_time range
  quantile_over_time φ, range
  rad vector
  range length of the window
  rate range of a counter, per second
  resets range of a counter
  round vector, nearest
  scalar vector of one
  sgn vector
  sin vector
  sinh vector
  sort vector
  sort_by_label vector, "label"…
  sort_by_label_desc vector, "label"…
  sort_desc vector
  sqrt vector
  start start of the window
  start_timestamp vector
  stddev_over_time range
  stdvar_over_time range
  step step of the window
  sum_over_time range
  tan vector
  tanh vector
  time seconds since 1970
  timestamp vector
  ts_of_first_over_time range
  ts_of_last_over_time range
  ts_of_max_over_time range
  ts_of_min_over_time range
  vector number
  year vector
`);

export const DURATIONS: readonly string[] = ["$rate", "$step", "1m", "5m", "15m", "1h", "6h", "1d", "1w"];
