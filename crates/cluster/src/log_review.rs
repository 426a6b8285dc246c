//! May these logs be read? Asks the API server, and remembers its answers for a short time.
//!
//! In:     an identity, a namespace, pods. Out: allowed, refused with the API server's reason, or not to be found out.
//! Never:  a right that was taken away half a minute ago; a refusal kept longer than 5 s.
//! Source: SelfSubjectAccessReview and SubjectAccessReview, authorization.k8s.io/v1.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec, SubjectAccessReview,
    SubjectAccessReviewSpec, SubjectAccessReviewStatus,
};
use kube::api::{Api, PostParams};

use crate::term::Whose;

/// How long an answer is repeated without asking again, ms. A permission vouches for longer than it is repeated, so that a
/// stream that renews every 20 s always gets a later end, and yet no ticket outlives its review by more than [`VOUCHED_MS`].
const ALLOW_MS: i64 = 10_000;
const DENY_MS: i64 = 5_000;
/// How long a review vouches for a ticket, ms.
const VOUCHED_MS: i64 = 30_000;
/// How long while the API server cannot be asked, ms.
const GRACE_MS: i64 = 60_000;
/// A review that takes longer counts as not possible.
const PATIENCE: Duration = Duration::from_secs(5);
/// Reviews at once.
const CONCURRENT: usize = 16;
/// Answers kept. Beyond it the oldest go.
const KEPT: usize = 10_000;

/// Whose right is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// The agent's own account.
    Own,
    User {
        name: String,
        groups: Vec<String>,
    },
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Until then, ms UTC.
    Allowed {
        until_ms: i64,
    },
    Refused(String),
    /// The API server could not be asked.
    Unverified(String),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Question {
    subject: Subject,
    namespace: String,
    /// `None`: every pod of the namespace.
    pod: Option<String>,
}

#[derive(Clone, Debug)]
struct Known {
    at_ms: i64,
    answer: Answer,
}

/// The reviewer with its memory.
pub struct LogReview {
    client: kube::Client,
    whose: Whose,
    known: Mutex<HashMap<Question, Known>>,
}

impl LogReview {
    /// `whose`: whom the client speaks for, as refusals name it.
    pub fn new(client: kube::Client, whose: Whose) -> Self {
        Self { client, whose, known: Mutex::default() }
    }

    /// The answer for each `(namespace, pod)`, in their order. A namespace is asked once; pods only where it is refused.
    pub async fn pods(&self, subject: &Subject, pods: &[(String, String)], now_ms: i64) -> Vec<Answer> {
        let mut namespaces: Vec<(String, Option<String>)> =
            pods.iter().map(|(n, _)| (n.clone(), None)).collect();
        namespaces.sort();
        namespaces.dedup();
        let whole = self.all(subject, namespaces, now_ms).await;
        let refused = |n: &str| !matches!(whole.get(&(n.to_owned(), None)), Some(Answer::Allowed { .. }));
        let mut single: Vec<(String, Option<String>)> =
            pods.iter().filter(|(n, _)| refused(n)).map(|(n, p)| (n.clone(), Some(p.clone()))).collect();
        single.sort();
        single.dedup();
        let single = self.all(subject, single, now_ms).await;
        let unknown = || Answer::Unverified("no answer".into());
        pods.iter()
            .map(|(n, p)| {
                let of_pod = single.get(&(n.clone(), Some(p.clone())));
                of_pod.or_else(|| whole.get(&(n.clone(), None))).cloned().unwrap_or_else(unknown)
            })
            .collect()
    }

    async fn all(
        &self,
        subject: &Subject,
        asked: Vec<(String, Option<String>)>,
        now_ms: i64,
    ) -> HashMap<(String, Option<String>), Answer> {
        let mut each = Vec::with_capacity(asked.len());
        for (namespace, pod) in asked {
            let question = Question { subject: subject.clone(), namespace, pod };
            each.push(async move {
                let answer = self.one(&question, now_ms).await;
                ((question.namespace, question.pod), answer)
            });
        }
        futures::stream::iter(each).buffer_unordered(CONCURRENT).collect().await
    }

    async fn one(&self, question: &Question, now_ms: i64) -> Answer {
        let known = self.lock().get(question).cloned();
        if let Some(known) = &known
            && fresh(known, now_ms)
        {
            return known.answer.clone();
        }
        let answer = match tokio::time::timeout(PATIENCE, self.ask(question, now_ms)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(e)) => Answer::Unverified(crate::error::chain(&e)),
            Err(_) => Answer::Unverified("the API server did not answer within 5 s".into()),
        };
        if let Answer::Unverified(_) = &answer {
            return known.and_then(|known| in_grace(known, now_ms)).unwrap_or(answer);
        }
        let mut memory = self.lock();
        if memory.len() >= KEPT {
            let oldest = memory.values().map(|k| k.at_ms).min().unwrap_or(now_ms);
            let limit = now_ms.saturating_sub(GRACE_MS).max(oldest);
            memory.retain(|_, k| k.at_ms > limit);
        }
        memory.insert(question.clone(), Known { at_ms: now_ms, answer: answer.clone() });
        answer
    }

    async fn ask(&self, question: &Question, now_ms: i64) -> Result<Answer, kube::Error> {
        let attributes = ResourceAttributes {
            verb: Some("get".into()),
            resource: Some("pods".into()),
            subresource: Some("log".into()),
            namespace: Some(question.namespace.clone()),
            name: question.pod.clone(),
            ..ResourceAttributes::default()
        };
        let status = match &question.subject {
            Subject::Own => {
                let review = SelfSubjectAccessReview {
                    spec: SelfSubjectAccessReviewSpec {
                        resource_attributes: Some(attributes),
                        ..SelfSubjectAccessReviewSpec::default()
                    },
                    ..SelfSubjectAccessReview::default()
                };
                let api: Api<SelfSubjectAccessReview> = Api::all(self.client.clone());
                api.create(&PostParams::default(), &review).await?.status
            }
            Subject::User { name, groups } => {
                let review = SubjectAccessReview {
                    spec: SubjectAccessReviewSpec {
                        resource_attributes: Some(attributes),
                        user: Some(name.clone()),
                        groups: Some(groups.clone()),
                        ..SubjectAccessReviewSpec::default()
                    },
                    ..SubjectAccessReview::default()
                };
                let api: Api<SubjectAccessReview> = Api::all(self.client.clone());
                api.create(&PostParams::default(), &review).await?.status
            }
        };
        Ok(answer((question, self.whose), status.unwrap_or_default(), now_ms))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Question, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn fresh(known: &Known, now_ms: i64) -> bool {
    let age = now_ms.saturating_sub(known.at_ms);
    let good_for = if matches!(known.answer, Answer::Allowed { .. }) { ALLOW_MS } else { DENY_MS };
    (0..good_for).contains(&age)
}

/// What the last answer is still worth while no new one can be had.
fn in_grace(known: Known, now_ms: i64) -> Option<Answer> {
    let end_ms = known.at_ms.saturating_add(GRACE_MS);
    match known.answer {
        _ if now_ms >= end_ms => None,
        Answer::Allowed { .. } => {
            Some(Answer::Allowed { until_ms: end_ms.min(now_ms.saturating_add(VOUCHED_MS)) })
        }
        other => Some(other),
    }
}

fn answer((question, whose): (&Question, Whose), status: SubjectAccessReviewStatus, now_ms: i64) -> Answer {
    if status.allowed {
        return Answer::Allowed { until_ms: now_ms.saturating_add(VOUCHED_MS) };
    }
    let who = match &question.subject {
        Subject::Own => whose.subject(),
        Subject::User { name, .. } => name,
    };
    let reason = status.reason.or(status.evaluation_error).filter(|r| !r.is_empty());
    let grant = "{apiGroups: [\"\"], resources: [\"pods/log\"], verbs: [get]}";
    let namespace = &question.namespace;
    Answer::Refused(match reason {
        Some(reason) => format!("{who} may not get pods/log in {namespace} ({reason}); grant {grant} there"),
        None => format!("{who} may not get pods/log in {namespace}; grant {grant} there"),
    })
}
