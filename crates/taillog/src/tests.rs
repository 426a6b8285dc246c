//! Real files, written as kubelet, containerd and dockerd write them.
