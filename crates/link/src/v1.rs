//! The protocol, generated from `proto/pilothouse/link/v1/link.proto`.
#![allow(missing_docs, clippy::all, clippy::unwrap_used, reason = "generated")]

tonic::include_proto!("pilothouse.link.v1");
