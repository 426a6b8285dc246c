//! Expressions. Two are equal when they say the same; where they stand in a text does not count.

use ph_model::Matcher;

use crate::error::Span;
use crate::functions::{Function, Type};

/// An expression that passed the type check, with its place in the text it was read from.
#[derive(Clone, Debug)]
pub struct Expr {
    pub kind: ExprKind,
    pub span: Span,
    /// Levels of the tree below and with this one.
    pub(crate) depth: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    Number(Number),
    Text(String),
    Vector(Selector),
    Matrix(Matrix),
    Subquery(Box<Subquery>),
    Unary(Box<Unary>),
    Binary(Box<Binary>),
    Aggregate(Box<Aggregate>),
    Call(Call),
    Paren(Box<Expr>),
}

/// A literal. Written as a duration it counts seconds.
#[derive(Clone, Copy, Debug)]
pub struct Number {
    pub value: f64,
    pub is_duration: bool,
}

/// `name{matchers} offset … @ …`.
#[derive(Clone, Debug, PartialEq)]
pub struct Selector {
    /// In the order written; the metric's name is a matcher on `__name__`, first when it stood before the braces.
    pub matchers: Vec<Matcher>,
    pub shift: Shift,
    pub edges: Edges,
}

/// How the samples at a range's edges are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Edges {
    #[default]
    Plain,
    /// The newest sample at or before the start of the range counts as its first.
    Anchored,
    /// Values at the edges are interpolated.
    Smoothed,
}

/// `offset` and `@`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shift {
    pub offset: Option<Length>,
    pub at: Option<At>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// ms since 1970, UTC.
    Time(i64),
    Start,
    End,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    pub selector: Selector,
    pub range: Length,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Subquery {
    pub of: Expr,
    pub range: Length,
    /// `None`: the default interval of evaluation.
    pub step: Option<Length>,
    pub shift: Shift,
}

/// A length of time that may depend on the query's step and range.
#[derive(Clone, Debug)]
pub struct Length {
    pub kind: LengthKind,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum LengthKind {
    Number(Number),
    Step,
    Range,
    Least(Box<Length>, Box<Length>),
    Most(Box<Length>, Box<Length>),
    Negative(Box<Length>),
    Binary(BinaryOp, Box<Length>, Box<Length>),
    Paren(Box<Length>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Unary {
    pub negative: bool,
    pub of: Expr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Atan2,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    TrimUpper,
    TrimLower,
    And,
    Or,
    Unless,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Binary {
    pub op: BinaryOp,
    pub left: Expr,
    pub right: Expr,
    /// `bool`: give 0 and 1 instead of filtering.
    pub returns_bool: bool,
    /// Of two vectors.
    pub matching: Matching,
    /// Where the operator and its modifiers stand.
    pub op_span: OpSpan,
}

/// The place of an operator; all are equal.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpSpan(pub Span);

impl PartialEq for OpSpan {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matching {
    pub labels: MatchLabels,
    pub group: Group,
    pub fill_left: Option<Fill>,
    pub fill_right: Option<Fill>,
}

/// Which labels decide whether two series match.
#[derive(Clone, Debug, PartialEq)]
pub enum MatchLabels {
    On(Vec<String>),
    Ignoring(Vec<String>),
}

impl Default for MatchLabels {
    fn default() -> Self {
        Self::Ignoring(Vec::new())
    }
}

/// Which side may have several series in a group; labels to take over from the other side.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Group {
    #[default]
    OneToOne,
    Left(Vec<String>),
    Right(Vec<String>),
}

/// The value of a series that is missing on one side.
#[derive(Clone, Copy, Debug)]
pub struct Fill(pub f64);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AggregateOp {
    Sum,
    Avg,
    Count,
    Min,
    Max,
    Group,
    Stddev,
    Stdvar,
    Topk,
    Bottomk,
    Quantile,
    CountValues,
    Limitk,
    LimitRatio,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    pub op: AggregateOp,
    pub param: Option<Expr>,
    pub of: Expr,
    pub grouping: Grouping,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Grouping {
    By(Vec<String>),
    Without(Vec<String>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub function: &'static Function,
    pub args: Vec<Expr>,
}

impl Expr {
    pub(crate) fn new(kind: ExprKind, span: Span) -> Self {
        let depth = 1 + match &kind {
            ExprKind::Number(_) | ExprKind::Text(_) | ExprKind::Vector(_) | ExprKind::Matrix(_) => 0,
            ExprKind::Subquery(s) => s.of.depth,
            ExprKind::Unary(u) => u.of.depth,
            ExprKind::Binary(b) => b.left.depth.max(b.right.depth),
            ExprKind::Aggregate(a) => a.of.depth.max(a.param.as_ref().map_or(0, |p| p.depth)),
            ExprKind::Call(c) => c.args.iter().map(|a| a.depth).max().unwrap_or(0),
            ExprKind::Paren(e) => e.depth,
        };
        Self { kind, span, depth }
    }

    /// What the expression gives.
    pub fn gives(&self) -> Type {
        match &self.kind {
            ExprKind::Number(_) => Type::Scalar,
            ExprKind::Text(_) => Type::Text,
            ExprKind::Vector(_) | ExprKind::Aggregate(_) => Type::Vector,
            ExprKind::Matrix(_) | ExprKind::Subquery(_) => Type::Matrix,
            ExprKind::Unary(u) => u.of.gives(),
            ExprKind::Binary(b) => {
                let scalars = b.left.gives() == Type::Scalar && b.right.gives() == Type::Scalar;
                if scalars { Type::Scalar } else { Type::Vector }
            }
            ExprKind::Call(c) => c.function.gives,
            ExprKind::Paren(e) => e.gives(),
        }
    }

    /// The expression inside any parentheses.
    pub fn bare(&self) -> &Expr {
        let mut expr = self;
        while let ExprKind::Paren(inner) = &expr.kind {
            expr = inner;
        }
        expr
    }

    /// The expressions directly below this one, in the order written.
    pub fn children(&self) -> Vec<&Expr> {
        match &self.kind {
            ExprKind::Number(_) | ExprKind::Text(_) | ExprKind::Vector(_) | ExprKind::Matrix(_) => Vec::new(),
            ExprKind::Subquery(s) => vec![&s.of],
            ExprKind::Unary(u) => vec![&u.of],
            ExprKind::Binary(b) => vec![&b.left, &b.right],
            ExprKind::Aggregate(a) => a.param.iter().chain([&a.of]).collect(),
            ExprKind::Call(c) => c.args.iter().collect(),
            ExprKind::Paren(e) => vec![e],
        }
    }
}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

impl PartialEq for Length {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

impl PartialEq for Number {
    /// NaN equals itself.
    fn eq(&self, other: &Self) -> bool {
        self.is_duration == other.is_duration && same(self.value, other.value)
    }
}

impl PartialEq for Fill {
    fn eq(&self, other: &Self) -> bool {
        same(self.0, other.0)
    }
}

fn same(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

impl BinaryOp {
    pub fn text(self) -> &'static str {
        match self {
            BinaryOp::Add => "+",
            BinaryOp::Sub => "-",
            BinaryOp::Mul => "*",
            BinaryOp::Div => "/",
            BinaryOp::Mod => "%",
            BinaryOp::Pow => "^",
            BinaryOp::Atan2 => "atan2",
            BinaryOp::Equal => "==",
            BinaryOp::NotEqual => "!=",
            BinaryOp::Less => "<",
            BinaryOp::LessEqual => "<=",
            BinaryOp::Greater => ">",
            BinaryOp::GreaterEqual => ">=",
            BinaryOp::TrimUpper => "</",
            BinaryOp::TrimLower => ">/",
            BinaryOp::And => "and",
            BinaryOp::Or => "or",
            BinaryOp::Unless => "unless",
        }
    }

    /// How tightly it binds; more is tighter.
    pub(crate) fn strength(self) -> u8 {
        match self {
            BinaryOp::Or => 1,
            BinaryOp::And | BinaryOp::Unless => 2,
            op if op.is_comparison() || op.is_trim() => 3,
            BinaryOp::Add | BinaryOp::Sub => 4,
            BinaryOp::Pow => 6,
            _ => 5,
        }
    }

    pub fn is_comparison(self) -> bool {
        use BinaryOp::{Equal, Greater, GreaterEqual, Less, LessEqual, NotEqual};
        matches!(self, Equal | NotEqual | Less | LessEqual | Greater | GreaterEqual)
    }

    pub fn is_set(self) -> bool {
        matches!(self, BinaryOp::And | BinaryOp::Or | BinaryOp::Unless)
    }

    pub fn is_trim(self) -> bool {
        matches!(self, BinaryOp::TrimUpper | BinaryOp::TrimLower)
    }

    /// Whether a result is a new quantity, which the metric's name does not describe.
    pub fn is_arithmetic(self) -> bool {
        !self.is_comparison() && !self.is_set() && !self.is_trim()
    }
}

impl AggregateOp {
    pub fn text(self) -> &'static str {
        match self {
            AggregateOp::Sum => "sum",
            AggregateOp::Avg => "avg",
            AggregateOp::Count => "count",
            AggregateOp::Min => "min",
            AggregateOp::Max => "max",
            AggregateOp::Group => "group",
            AggregateOp::Stddev => "stddev",
            AggregateOp::Stdvar => "stdvar",
            AggregateOp::Topk => "topk",
            AggregateOp::Bottomk => "bottomk",
            AggregateOp::Quantile => "quantile",
            AggregateOp::CountValues => "count_values",
            AggregateOp::Limitk => "limitk",
            AggregateOp::LimitRatio => "limit_ratio",
        }
    }

    pub(crate) fn of(word: &str) -> Option<Self> {
        use AggregateOp as A;
        const ALL: &[AggregateOp] = &[
            A::Sum,
            A::Avg,
            A::Count,
            A::Min,
            A::Max,
            A::Group,
            A::Stddev,
            A::Stdvar,
            A::Topk,
            A::Bottomk,
            A::Quantile,
            A::CountValues,
            A::Limitk,
            A::LimitRatio,
        ];
        ALL.iter().copied().find(|op| op.text().eq_ignore_ascii_case(word))
    }

    /// The type of the parameter before the vector.
    pub fn param(self) -> Option<Type> {
        use AggregateOp::{Bottomk, CountValues, LimitRatio, Limitk, Quantile, Topk};
        match self {
            Topk | Bottomk | Quantile | Limitk | LimitRatio => Some(Type::Scalar),
            CountValues => Some(Type::Text),
            _ => None,
        }
    }

    /// Whether the results are input series, unchanged.
    pub fn picks(self) -> bool {
        use AggregateOp::{Bottomk, LimitRatio, Limitk, Topk};
        matches!(self, Topk | Bottomk | Limitk | LimitRatio)
    }
}
