//! Real files, written as kubelet, containerd and dockerd write them.

mod any;
mod around;
mod count;
mod docker;
mod feed;
mod follow;
mod mask;
mod node;
mod parse;
mod property;
mod read;
mod search;
mod tail;
mod together;
mod watch;
