//! What ends a download, and what does not.

use super::*;

/// Stands for the minute in which a reader may take nothing.
const PATIENCE: Duration = Duration::from_secs(2);
const PIECES: u64 = 150;
const PIECE: u64 = 64 << 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_reader_that_takes_nothing_cuts_a_download_however_long_it_takes() {
    assert_eq!(STALLED, Duration::from_secs(60));
    let (pieces, mut body) = mpsc::channel(1);
    let mut output =
        Output { pieces, compress: false, text: Vec::new(), offset: 0, held: 0, patience: PATIENCE };
    let reader = async move {
        // In all it takes longer than the patience, and never stands still.
        for _ in 0..PIECES {
            tokio::time::sleep(PATIENCE / 100).await;
            body.recv().await.unwrap().unwrap();
        }
        body
    };
    let writer = async {
        let mut sent = 0;
        loop {
            output.text = vec![b'x'; PIECE as usize];
            if output.flush().await.is_err() {
                return sent;
            }
            sent += 1;
        }
    };
    // The reader stands still in the end, and keeps its place.
    let (_kept, sent) = tokio::join!(reader, writer);
    assert_eq!(sent, PIECES + 1, "what was taken, and the piece that waits in the channel");
    assert_eq!(output.offset, (PIECES + 2) * PIECE);
}
