//! Checks node-agents' ServiceAccount tokens for the server. Source: TokenReview, authentication.k8s.io/v1.

use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use kube::api::{Api, PostParams};
use ph_link::v1::review_server::Review;
use ph_link::v1::{NodeTokenAsk, NodeTokenReply};
use tonic::{Request, Response, Status};

/// The audience that node-agents' projected tokens are made for.
pub const AUDIENCE: &str = "pilothouse";

pub struct ReviewService {
    pub client: kube::Client,
}

#[tonic::async_trait]
impl Review for ReviewService {
    async fn node_token(&self, request: Request<NodeTokenAsk>) -> Result<Response<NodeTokenReply>, Status> {
        let review = TokenReview {
            spec: TokenReviewSpec {
                token: request.into_inner().token,
                audiences: Some(vec![AUDIENCE.into()]),
            },
            ..TokenReview::default()
        };
        let api: Api<TokenReview> = Api::all(self.client.clone());
        let answer = api
            .create(&PostParams::default(), &review)
            .await
            .map_err(|e| Status::unavailable(format!("TokenReview: {}", crate::error::chain(&e))))?;
        Ok(Response::new(reply(answer)))
    }
}

fn reply(review: TokenReview) -> NodeTokenReply {
    let status = review.status.unwrap_or_default();
    let user = status.user.unwrap_or_default();
    let extra = user.extra.unwrap_or_default();
    let fact = |key: &str| {
        extra
            .get(&format!("authentication.kubernetes.io/{key}"))
            .and_then(|v| v.first())
            .cloned()
            .unwrap_or_default()
    };
    let audience_ok = status.audiences.unwrap_or_default().iter().any(|a| a == AUDIENCE);
    let authenticated = status.authenticated.unwrap_or(false) && audience_ok;
    NodeTokenReply {
        authenticated,
        error: if authenticated {
            String::new()
        } else {
            status
                .error
                .unwrap_or_else(|| format!("the token is not one of this cluster for audience {AUDIENCE}"))
        },
        service_account: user
            .username
            .as_deref()
            .and_then(|u| u.strip_prefix("system:serviceaccount:"))
            .map(|u| u.replacen(':', "/", 1))
            .unwrap_or_default(),
        pod: fact("pod-name"),
        pod_uid: fact("pod-uid"),
        node: fact("node-name"),
        node_uid: fact("node-uid"),
    }
}
