//! Who works when: at most as many as there are turns, in the order of asking, and nobody for ever.

use std::sync::Barrier;
use std::sync::atomic::AtomicBool;

use super::*;

fn free(turns: &Turns) -> usize {
    turns.0.free.available_permits()
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_questions_work_as_there_are_turns_and_no_more() {
    let turns = Turns::new(2);
    let (working, together) = (Arc::new(AtomicUsize::new(0)), Arc::new(Barrier::new(2)));
    let asked = (0..8).map(|_| {
        let (turns, working, together) = (turns.clone(), Arc::clone(&working), Arc::clone(&together));
        tokio::spawn(async move {
            turns
                .run(move || {
                    let most = working.fetch_add(1, Ordering::SeqCst) + 1;
                    // Ends only if another one works at the same time.
                    together.wait();
                    working.fetch_sub(1, Ordering::SeqCst);
                    together.wait();
                    most
                })
                .await
                .unwrap()
        })
    });
    for one in asked.collect::<Vec<_>>() {
        assert!(one.await.unwrap() <= 2);
    }
    assert_eq!((free(&turns), turns.0.waiting.load(Ordering::SeqCst)), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn long_questions_let_others_go_first_that_wait() {
    let turns = Turns::new(2);
    let done = Arc::new(AtomicBool::new(false));
    let long = (0..2).map(|_| {
        let (turns, done) = (turns.clone(), Arc::clone(&done));
        tokio::spawn(async move {
            turns
                .run(move || {
                    while !done.load(Ordering::SeqCst) {
                        pass();
                        std::thread::yield_now();
                    }
                })
                .await
                .unwrap();
        })
    });
    let long: Vec<_> = long.collect();
    // Both have their turn; the third gets one only because they pass theirs on.
    while free(&turns) > 0 {
        tokio::task::yield_now().await;
    }
    turns.run(move || done.store(true, Ordering::SeqCst)).await.unwrap();
    for one in long {
        one.await.unwrap();
    }
    assert_eq!(free(&turns), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_reader_leaves_the_turn_to_others() {
    let turns = Turns::new(2);
    let (sender, receiver) = std::sync::mpsc::sync_channel::<()>(0);
    let (other, line) = (turns.clone(), turns.clone());
    let waits = tokio::spawn(async move {
        let wait = move || {
            let came = aside(|| receiver.recv().is_ok());
            (came, free(&line))
        };
        other.run(wait).await.unwrap()
    });
    let both = Arc::new(Barrier::new(2));
    let meet = || {
        let (turns, both) = (turns.clone(), Arc::clone(&both));
        tokio::spawn(async move { turns.run(move || _ = both.wait()).await.unwrap() })
    };
    // Two meet although a third was there before them.
    let (a, b) = (meet(), meet());
    a.await.unwrap();
    b.await.unwrap();
    tokio::task::spawn_blocking(move || sender.send(()).unwrap()).await.unwrap();
    // It has its turn again afterwards.
    assert_eq!(waits.await.unwrap(), (true, 1));
    assert_eq!(free(&turns), 2);
}

#[tokio::test]
async fn intake_keeps_a_share_while_batches_come() {
    for (processors, share) in [(1, 1), (2, 1), (4, 1), (8, 2), (9, 3)] {
        let turns = Turns::new(processors);
        let all = free(&turns);
        turns.note_batch(BUSY_BYTES - 1);
        let kept = turns.0.look(None).await;
        assert!(kept.is_none() && free(&turns) == all);
        turns.note_batch(BUSY_BYTES / 2);
        turns.note_batch(BUSY_BYTES / 2);
        let kept = turns.0.look(kept).await;
        assert_eq!(free(&turns), all - share);
        turns.note_batch(BUSY_BYTES);
        let kept = turns.0.look(kept).await;
        assert_eq!(free(&turns), all - share);
        let kept = turns.0.look(kept).await;
        assert!(kept.is_none() && free(&turns) == all);
    }
}

#[tokio::test]
async fn threads_that_help_are_as_many_as_turns_are_free() {
    let turns = Turns::new(4);
    let counts = async |turns: &Turns| {
        let line = turns.clone();
        let count = move || {
            let (spare, none) = (Spare::take(), Spare::take());
            let counts = (spare.count(), none.count(), free(&line));
            drop(spare);
            (counts, free(&line))
        };
        turns.run(count).await
    };
    assert_eq!(counts(&turns).await.unwrap(), ((3, 0, 0), 3));
    turns.note_batch(BUSY_BYTES);
    let kept = turns.0.look(None).await;
    assert_eq!(counts(&turns).await.unwrap(), ((2, 0, 0), 2));
    drop(kept);
    assert_eq!((free(&turns), Spare::take().count()), (4, 0));
}
