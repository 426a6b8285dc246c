//! Names of days, and which rows are selected. Parts themselves are tested through the whole store.

use super::day_text;
use super::fetch::single;

#[test]
fn days_have_their_names() {
    let names = [0, 59, 20_778, -1, 11_016, 19_782, 19_783].map(day_text);
    let known =
        ["1970-01-01", "1970-03-01", "2026-11-21", "1969-12-31", "2000-02-29", "2024-02-29", "2024-03-01"];
    assert_eq!(names, known);
}

#[test]
fn single_rows_are_selected_of_the_groups_alone_that_hold_them() {
    let given = |rows: &[u64]| {
        let lengths = [4_u64, 3, 5];
        let picked = single(rows, lengths.into_iter());
        let groups: Vec<usize> = picked.iter().map(|(group, _)| *group).collect();
        let starts = [0_u64, 4, 7];
        let all = groups.iter().flat_map(|g| starts[*g]..starts[*g] + lengths[*g]);
        let selectors = picked.iter().flat_map(|(_, selectors)| selectors);
        let picks = selectors.flat_map(|s| std::iter::repeat_n(!s.skip, s.row_count));
        let picks: Vec<bool> = picks.collect();
        assert_eq!(picks.len() as u64, groups.iter().map(|g| lengths[*g]).sum::<u64>());
        let read: Vec<u64> = all.zip(picks).filter_map(|(row, pick)| pick.then_some(row)).collect();
        assert_eq!(read, rows);
        groups
    };
    assert_eq!(given(&[]), [0_usize; 0]);
    assert_eq!(given(&[1, 2]), [0]);
    assert_eq!(given(&[3, 7, 11]), [0, 2]);
    assert_eq!(given(&(0..12).collect::<Vec<u64>>()), [0, 1, 2]);
    // Beyond the last group there is nothing to select.
    assert!(single(&[12], [4, 3, 5].into_iter()).is_empty());
}
