//! What is taken down with a bed, and what stays.

use super::*;

#[test]
fn mounts_of_a_neighbour_with_a_longer_name_stay() {
    let info = "1 0 8:1 / /tmp/bed/a rw - ext4 x rw\n2 0 8:1 / /tmp/bed/a/b rw - ext4 x rw\n\
                3 0 8:1 / /tmp/bed2/a rw - ext4 x rw\n4 0 8:1 / / rw - ext4 x rw\n";
    assert_eq!(
        mounts_below(info, Path::new("/tmp/bed")),
        [PathBuf::from("/tmp/bed/a/b"), PathBuf::from("/tmp/bed/a")]
    );
}
