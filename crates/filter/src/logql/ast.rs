//! LogQL as a tree.

use ph_model::Matcher;

/// Lines, or numbers made of lines.
#[derive(Clone, Debug, PartialEq)]
pub enum Query {
    Logs(LogExpr),
    Metric(Metric),
}

/// A selector and what is done with each of its lines, in order.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct LogExpr {
    pub matchers: Vec<Matcher>,
    pub stages: Vec<Stage>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineOp {
    Has,
    HasNot,
    Matches,
    MatchesNot,
}

impl LineOp {
    pub fn as_str(self) -> &'static str {
        match self {
            LineOp::Has => "|=",
            LineOp::HasNot => "!=",
            LineOp::Matches => "|~",
            LineOp::MatchesNot => "!~",
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// Texts or expressions, one of which is enough.
    Line {
        op: LineOp,
        any: Vec<String>,
    },
    /// All fields of a JSON object, or those named, each with its path.
    Json(Vec<(String, String)>),
    Logfmt {
        keep_empty: bool,
        fields: Vec<(String, String)>,
    },
    Pattern(String),
    Regexp(String),
    Label(LabelTest),
    Drop(Vec<Selected>),
    Keep(Vec<Selected>),
    Decolorize,
}

/// A label, whatever its value or only with one.
#[derive(Clone, Debug, PartialEq)]
pub enum Selected {
    Name(String),
    Value(Matcher),
}

/// A condition on labels.
#[derive(Clone, Debug, PartialEq)]
pub enum LabelTest {
    And(Box<LabelTest>, Box<LabelTest>),
    Or(Box<LabelTest>, Box<LabelTest>),
    Text(Matcher),
    /// A number, duration or size as it was written.
    Number {
        name: String,
        op: &'static str,
        value: String,
    },
    /// An address, network or range of addresses.
    Ip {
        name: String,
        equal: bool,
        range: String,
    },
}

/// Numbers by labels and time.
#[derive(Clone, Debug, PartialEq)]
pub enum Metric {
    Number(f64),
    Vector(f64),
    Range(RangeExpr),
    Aggregate { op: AggregateOp, param: Option<f64>, grouping: Option<Grouping>, of: Box<Metric> },
    Sort { descending: bool, of: Box<Metric> },
    Binary { op: Operator, vectors: Vectors, left: Box<Metric>, right: Box<Metric> },
    Paren(Box<Metric>),
}

impl Metric {
    /// Every range aggregation in it, from left to right.
    pub fn ranges(&self) -> Vec<&RangeExpr> {
        match self {
            Metric::Number(_) | Metric::Vector(_) => Vec::new(),
            Metric::Range(range) => vec![range],
            Metric::Aggregate { of, .. } | Metric::Sort { of, .. } | Metric::Paren(of) => of.ranges(),
            Metric::Binary { left, right, .. } => {
                let mut found = left.ranges();
                found.extend(right.ranges());
                found
            }
        }
    }

    /// Labels that groupings and matchings name.
    pub fn named_labels(&self) -> Vec<&str> {
        match self {
            Metric::Number(_) | Metric::Vector(_) => Vec::new(),
            Metric::Range(range) => {
                range.grouping.iter().flat_map(|g| &g.labels).map(String::as_str).collect()
            }
            Metric::Aggregate { grouping, of, .. } => {
                let own = grouping.iter().flat_map(|g| &g.labels).map(String::as_str);
                own.chain(of.named_labels()).collect()
            }
            Metric::Sort { of, .. } | Metric::Paren(of) => of.named_labels(),
            Metric::Binary { vectors, left, right, .. } => {
                let own = vectors.labels.iter().chain(vectors.group.iter().flat_map(|(_, l)| l));
                own.map(String::as_str).chain(left.named_labels()).chain(right.named_labels()).collect()
            }
        }
    }
}

/// `rate({…} … [5m] offset 1h) by (…)`
#[derive(Clone, Debug, PartialEq)]
pub struct RangeExpr {
    pub op: RangeOp,
    /// Of `quantile_over_time`.
    pub param: Option<f64>,
    pub logs: LogExpr,
    pub unwrap: Option<Unwrap>,
    pub range_ns: i64,
    pub offset_ns: i64,
    pub grouping: Option<Grouping>,
}

/// The label whose value is the sample, and conditions behind it.
#[derive(Clone, Debug, PartialEq)]
pub struct Unwrap {
    pub label: String,
    pub unit: UnwrapUnit,
    pub tests: Vec<LabelTest>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnwrapUnit {
    Number,
    /// A duration, as seconds.
    Duration,
    Bytes,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Grouping {
    pub without: bool,
    pub labels: Vec<String>,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($variant,)* }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            pub fn of(word: &str) -> Option<Self> {
                Self::ALL.iter().find(|op| op.as_str() == word).copied()
            }
        }
    };
}

words! {
    /// What is made of the lines of a window.
    RangeOp {
        Rate = "rate",
        Count = "count_over_time",
        BytesRate = "bytes_rate",
        Bytes = "bytes_over_time",
        Absent = "absent_over_time",
        Sum = "sum_over_time",
        Avg = "avg_over_time",
        Min = "min_over_time",
        Max = "max_over_time",
        Stddev = "stddev_over_time",
        Stdvar = "stdvar_over_time",
        Quantile = "quantile_over_time",
        First = "first_over_time",
        Last = "last_over_time",
        RateCounter = "rate_counter",
    }
}

words! {
    AggregateOp {
        Sum = "sum",
        Avg = "avg",
        Min = "min",
        Max = "max",
        Count = "count",
        Stddev = "stddev",
        Stdvar = "stdvar",
        Topk = "topk",
        Bottomk = "bottomk",
    }
}

words! {
    Operator {
        Or = "or",
        And = "and",
        Unless = "unless",
        Equal = "==",
        NotEqual = "!=",
        AtLeast = ">=",
        AtMost = "<=",
        More = ">",
        Less = "<",
        Add = "+",
        Subtract = "-",
        Multiply = "*",
        Divide = "/",
        Modulo = "%",
        Power = "^",
    }
}

impl Operator {
    /// Binds more tightly the larger it is.
    pub(super) fn strength(self) -> u8 {
        match self {
            Operator::Or => 1,
            Operator::And | Operator::Unless => 2,
            Operator::Equal
            | Operator::NotEqual
            | Operator::AtLeast
            | Operator::AtMost
            | Operator::More
            | Operator::Less => 3,
            Operator::Add | Operator::Subtract => 4,
            Operator::Multiply | Operator::Divide | Operator::Modulo => 5,
            Operator::Power => 6,
        }
    }
}

/// How the series of both sides find each other.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Vectors {
    pub bool_result: bool,
    /// `Some(true)`: `on`; `Some(false)`: `ignoring`.
    pub on: Option<bool>,
    pub labels: Vec<String>,
    /// `group_left` or `group_right` with labels that it copies.
    pub group: Option<(&'static str, Vec<String>)>,
}

impl RangeOp {
    /// Whether it needs a value out of a label.
    pub(super) fn needs_unwrap(self) -> bool {
        use RangeOp::{Avg, First, Last, Max, Min, Quantile, RateCounter, Stddev, Stdvar, Sum};
        matches!(self, Sum | Avg | Min | Max | Stddev | Stdvar | Quantile | First | Last | RateCounter)
    }

    /// Whether `by` and `without` may follow it.
    pub(super) fn may_group(self) -> bool {
        use RangeOp::{Avg, First, Last, Max, Min, Quantile, Stddev, Stdvar};
        matches!(self, Avg | Min | Max | Stddev | Stdvar | Quantile | First | Last)
    }
}
