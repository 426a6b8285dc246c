//! Columns to bytes and back; bytes of any kind are refused without panic.

use ph_model::{LogRow, Signal, SpanRow};
use proptest::prelude::*;

use super::*;

fn log() -> impl Strategy<Value = LogRow> {
    let attribute = prop_oneof![
        any::<i64>().prop_map(ph_model::Value::Int),
        any::<f64>()
            .prop_filter("NaN differs from itself", |d| !d.is_nan())
            .prop_map(ph_model::Value::Double),
        any::<bool>().prop_map(ph_model::Value::Bool),
        "[a-z0-9é\"{]{0,6}".prop_map(ph_model::Value::Str),
        proptest::collection::vec(any::<u8>(), 0..4).prop_map(ph_model::Value::Bytes),
    ];
    let attributes = proptest::collection::vec(("[a-c.]{1,3}", attribute), 0..4);
    let ids = (any::<Option<[u8; 16]>>(), any::<Option<[u8; 8]>>());
    let message = proptest::collection::vec(any::<u8>(), 0..40);
    (any::<i64>(), "[a-z]{0,3}", message, attributes, ids, any::<(u8, u32, u64, u128)>()).prop_map(
        |(ts, pod, message, attributes, (trace_id, span_id), (level, restart, offset, segment_key))| LogRow {
            ts,
            pod,
            message,
            attributes: attributes.into_iter().collect(),
            trace_id,
            span_id,
            level,
            restart,
            offset,
            segment_key,
            ..LogRow::default()
        },
    )
}

proptest! {
    #[test]
    fn logs_survive_columns_and_bytes(rows in proptest::collection::vec(log(), 0..12)) {
        let batch = logs_batch(&rows).unwrap();
        prop_assert_eq!(&log_rows(&batch), &rows);
        let decoded = decode(Signal::Logs, &encode(&batch).unwrap()).unwrap();
        prop_assert_eq!(&log_rows(&decoded), &rows);
    }

    #[test]
    fn a_slice_is_coded_alone(rows in proptest::collection::vec(log(), 4..12)) {
        let batch = logs_batch(&rows).unwrap().slice(1, 2);
        let decoded = decode(Signal::Logs, &encode(&batch).unwrap()).unwrap();
        prop_assert_eq!(&log_rows(&decoded)[..], &rows[1..3]);
    }

    #[test]
    fn damaged_bytes_do_not_panic(
        rows in proptest::collection::vec(log(), 1..5),
        at in any::<prop::sample::Index>(),
        with in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = encode(&logs_batch(&rows).unwrap()).unwrap();
        let place = at.index(bytes.len());
        bytes[place] = with;
        bytes.truncate(cut.index(bytes.len()) + 1);
        if let Some(batch) = decode(Signal::Logs, &bytes) {
            prop_assert!(log_rows(&batch).len() <= MAX_TEST_ROWS);
        }
    }
}

const MAX_TEST_ROWS: usize = 1 << 22;

#[test]
fn spans_and_events_have_all_columns() {
    for signal in [Signal::Spans, Signal::Events] {
        let batch = match signal {
            Signal::Spans => spans_batch(&[SpanRow::default()]).unwrap(),
            _ => events_batch(&[ph_model::EventRow::default()]).unwrap(),
        };
        let decoded = decode(signal, &encode(&batch).unwrap()).unwrap();
        assert_eq!(decoded, batch);
        assert!(placed(signal, &decoded, 5).is_some());
    }
}
