//! Catalogue: the functions of the language, with the types they take and give.
//!
//! Source: Prometheus' list of query functions, <https://prometheus.io/docs/prometheus/latest/querying/functions/>.

/// What an expression gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    Scalar,
    Vector,
    Matrix,
    Text,
}

impl Type {
    /// The word of the HTTP API's `resultType`.
    pub fn as_str(self) -> &'static str {
        match self {
            Type::Scalar => "scalar",
            Type::Vector => "vector",
            Type::Matrix => "matrix",
            Type::Text => "string",
        }
    }

    /// As the documentation calls it.
    pub fn documented(self) -> &'static str {
        match self {
            Type::Vector => "instant vector",
            Type::Matrix => "range vector",
            other => other.as_str(),
        }
    }
}

/// How many more or fewer arguments than listed a function takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arity {
    Exact,
    /// The last may be left out.
    OptionalLast,
    /// The last may be left out or repeated, up to so many more beyond the listed ones.
    Repeated(usize),
}

/// One function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Function {
    pub name: &'static str,
    pub takes: &'static [Type],
    pub arity: Arity,
    pub gives: Type,
    pub experimental: bool,
}

impl Function {
    /// The fewest arguments.
    pub fn least(&self) -> usize {
        self.takes.len() - usize::from(self.arity != Arity::Exact)
    }

    /// The most arguments; `None`: any number.
    pub fn most(&self) -> Option<usize> {
        match self.arity {
            Arity::Exact | Arity::OptionalLast => Some(self.takes.len()),
            Arity::Repeated(usize::MAX) => None,
            Arity::Repeated(more) => Some(self.takes.len() - 1 + more),
        }
    }

    /// The type of the argument at `at`.
    pub fn takes_at(&self, at: usize) -> Option<Type> {
        self.takes.get(at).or(self.takes.last()).copied()
    }
}

/// Finds a function by its exact name.
pub fn function(name: &str) -> Option<&'static Function> {
    FUNCTIONS.binary_search_by(|f| f.name.cmp(name)).ok().and_then(|at| FUNCTIONS.get(at))
}

const V: &[Type] = &[Type::Vector];
const M: &[Type] = &[Type::Matrix];
const S: &[Type] = &[Type::Scalar];
const NONE: &[Type] = &[];
const SS: &[Type] = &[Type::Scalar, Type::Scalar];
const ANY: usize = usize::MAX;

const fn on(name: &'static str, takes: &'static [Type]) -> Function {
    Function { name, takes, arity: Arity::Exact, gives: Type::Vector, experimental: false }
}

const fn new(name: &'static str, takes: &'static [Type]) -> Function {
    Function { experimental: true, ..on(name, takes) }
}

const fn scalar(name: &'static str, takes: &'static [Type]) -> Function {
    Function { gives: Type::Scalar, ..on(name, takes) }
}

const fn new_scalar(name: &'static str, takes: &'static [Type]) -> Function {
    Function { experimental: true, ..scalar(name, takes) }
}

const fn date(name: &'static str) -> Function {
    Function { arity: Arity::OptionalLast, ..on(name, V) }
}

/// In order of name.
pub const FUNCTIONS: &[Function] = &[
    on("abs", V),
    on("absent", V),
    on("absent_over_time", M),
    on("acos", V),
    on("acosh", V),
    on("asin", V),
    on("asinh", V),
    on("atan", V),
    on("atanh", V),
    on("avg_over_time", M),
    on("ceil", V),
    on("changes", M),
    on("clamp", &[Type::Vector, Type::Scalar, Type::Scalar]),
    on("clamp_max", &[Type::Vector, Type::Scalar]),
    on("clamp_min", &[Type::Vector, Type::Scalar]),
    on("cos", V),
    on("cosh", V),
    on("count_over_time", M),
    date("day_of_month"),
    date("day_of_week"),
    date("day_of_year"),
    date("days_in_month"),
    on("deg", V),
    on("delta", M),
    on("deriv", M),
    new("double_exponential_smoothing", &[Type::Matrix, Type::Scalar, Type::Scalar]),
    new_scalar("end", NONE),
    on("exp", V),
    on("first_over_time", M),
    on("floor", V),
    on("histogram_avg", V),
    on("histogram_count", V),
    on("histogram_fraction", &[Type::Scalar, Type::Scalar, Type::Vector]),
    on("histogram_quantile", &[Type::Scalar, Type::Vector]),
    Function {
        arity: Arity::Repeated(9),
        ..new("histogram_quantiles", &[Type::Vector, Type::Text, Type::Scalar, Type::Scalar])
    },
    on("histogram_stddev", V),
    on("histogram_stdvar", V),
    on("histogram_sum", V),
    date("hour"),
    on("idelta", M),
    on("increase", M),
    Function { arity: Arity::OptionalLast, ..new("info", &[Type::Vector, Type::Vector]) },
    on("irate", M),
    Function {
        arity: Arity::Repeated(ANY),
        ..on("label_join", &[Type::Vector, Type::Text, Type::Text, Type::Text])
    },
    on("label_replace", &[Type::Vector, Type::Text, Type::Text, Type::Text, Type::Text]),
    on("last_over_time", M),
    on("ln", V),
    on("log10", V),
    on("log2", V),
    new("mad_over_time", M),
    new_scalar("max_of", SS),
    on("max_over_time", M),
    new_scalar("min_of", SS),
    on("min_over_time", M),
    date("minute"),
    date("month"),
    scalar("pi", NONE),
    on("predict_linear", &[Type::Matrix, Type::Scalar]),
    on("present_over_time", M),
    on("quantile_over_time", &[Type::Scalar, Type::Matrix]),
    on("rad", V),
    new_scalar("range", NONE),
    on("rate", M),
    on("resets", M),
    Function { arity: Arity::OptionalLast, ..on("round", &[Type::Vector, Type::Scalar]) },
    scalar("scalar", V),
    on("sgn", V),
    on("sin", V),
    on("sinh", V),
    on("sort", V),
    Function { arity: Arity::Repeated(ANY), ..new("sort_by_label", &[Type::Vector, Type::Text]) },
    Function { arity: Arity::Repeated(ANY), ..new("sort_by_label_desc", &[Type::Vector, Type::Text]) },
    on("sort_desc", V),
    on("sqrt", V),
    new_scalar("start", NONE),
    new("start_timestamp", V),
    on("stddev_over_time", M),
    on("stdvar_over_time", M),
    new_scalar("step", NONE),
    on("sum_over_time", M),
    on("tan", V),
    on("tanh", V),
    scalar("time", NONE),
    on("timestamp", V),
    new("ts_of_first_over_time", M),
    new("ts_of_last_over_time", M),
    new("ts_of_max_over_time", M),
    new("ts_of_min_over_time", M),
    on("vector", S),
    date("year"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_ninety_in_order_of_name() {
        assert_eq!(FUNCTIONS.len(), 90);
        assert!(FUNCTIONS.windows(2).all(|pair| pair[0].name < pair[1].name));
        assert!(function("rate").is_some() && function("holt_winters").is_none());
    }
}
