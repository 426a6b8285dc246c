//! What a node is given of the machine.

use super::*;

#[test]
fn only_controllers_that_are_there_are_handed_down() {
    assert_eq!(handed_down("cpuset cpu io rdma misc\n"), "+cpuset +cpu +io");
    assert_eq!(handed_down("\n"), "");
}
