//! The rows of a part that pass a filter, with as little of each column read as it takes.
//!
//! In:     a plan, and what is wanted of the part.
//! Out:    batches of the columns that are asked for, and which of their rows pass.
//! How:    group by group of rows: first the shapes of messages decide what they can, then the messages are searched in
//!         the pages of the file, then the columns that the filter names decide on what that left; the others are read
//!         where rows passed.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, BinaryBuilder, RecordBatch, UInt16Array, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

use super::Part;
use super::pages::Runs;
use super::read::{Chosen, Places, Reading, Want};
use super::shapes::{self, Said, Shapes, Verdicts};
use super::sifted::{Found, Sifting};
use crate::contract::Error;
use crate::index::{BLOCK_ROWS, Blocks};
use crate::rows::message_column;
use crate::scan::{Each, Plan, Scanned};

/// So few rows of a group are read one by one, more of them with all that stand beside them.
const FEW: usize = 48;
/// Texts of messages that wait to be looked at, bytes.
const TEXTS: usize = 64 << 20;

fn flow(going_on: Option<()>) -> ControlFlow<()> {
    if going_on.is_some() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
}

impl Part {
    /// Calls `each` with the rows that pass, in the order of the file.
    pub fn pick(
        &self,
        plan: &Plan,
        want: &Want<'_>,
        scanned: &mut Scanned,
        each: &mut Each<'_>,
    ) -> Result<(), Error> {
        if plan.filter.is_all() {
            return self.scan(want, scanned, &mut |group| {
                let count = group.batch.num_rows() as u32;
                let places = (group.first_row..).take(count as usize).collect();
                flow(plan.give(group.batch, ((0..count).collect(), places), each))
            });
        }
        if want.blocks.is_some_and(Blocks::is_empty) {
            return Ok(());
        }
        let reading = self.reading(want)?;
        let column = shapes::root(reading.meta());
        let shapes = column.and_then(|column| {
            let read = || Shapes::read(reading.meta().file_metadata());
            Some((column, self.cache.shapes(self.row.id, read)?.verdicts(&plan.filter)?))
        });
        let result = reading.groups(&mut |group| {
            scanned.rows += group.runs.iter().map(|run| run.1).sum::<u64>();
            if scanned.is_over(reading.source.disk.read()) {
                return Ok(ControlFlow::Break(()));
            }
            Picking { part: self, reading: &reading, group, plan }.run(shapes.as_ref(), each)
        });
        scanned.bytes += reading.source.disk.read();
        result
    }
}

/// One group of rows under a filter. Rows are numbered from its first one on, and always ascend.
struct Picking<'a> {
    part: &'a Part,
    reading: &'a Reading<'a>,
    group: Chosen,
    plan: &'a Plan,
}

/// Is given a batch, which of its rows were wanted, and their numbers in the group.
type Batches<'a> = dyn FnMut(&RecordBatch, &[u32], &[u32]) -> Result<ControlFlow<()>, Error> + 'a;

impl Picking<'_> {
    fn run(
        mut self,
        shapes: Option<&(usize, Verdicts)>,
        each: &mut Each<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        let mut passing = match shapes {
            Some(shapes) => self.shaped(shapes)?,
            None => Vec::new(),
        };
        if !self.group.runs.is_empty() {
            let known = passing.len();
            passing.extend(match self.sifted()? {
                Some(rows) => rows,
                None => self.tested()?,
            });
            if known > 0 {
                passing.sort_unstable();
                passing.dedup();
            }
        } else if !passing.is_sorted() {
            passing.sort_unstable();
        }
        if passing.is_empty() {
            return Ok(ControlFlow::Continue(()));
        }
        let columns = self.reading.roots(self.group.number, &self.plan.columns);
        let needs_map = self.plan.columns.has_all_attributes();
        self.at(&passing, columns, &mut |batch, rows, numbers| {
            let places = numbers.iter().map(|row| self.group.first_row + u64::from(*row)).collect();
            let found = (rows.to_vec(), places);
            Ok(flow(match needs_map {
                true => self.plan.give(&self.part.whole(batch.clone())?, found, each),
                false => self.plan.give(batch, found, each),
            }))
        })
    }

    /// Rows that pass whatever else they have; the group is left with those of which their shape does not say.
    fn shaped(&mut self, (column, verdicts): &(usize, Verdicts)) -> Result<Vec<u32>, Error> {
        let (mut passing, mut open, mut rest) = (Vec::new(), Vec::new(), Rest::default());
        let mut places = Places::new(self.group.runs.clone());
        for batch in self.reader(&self.group.runs, vec![*column])? {
            let batch = batch.map_err(|e| self.part.unreadable(&self.reading.source.disk, e))?;
            let flow = places.give(&batch, &mut |piece| {
                let numbers = piece.batch.columns().first().and_then(|c| c.as_any().downcast_ref());
                let Some(numbers) = numbers.map(|numbers: &UInt16Array| numbers.values()) else {
                    return ControlFlow::Break(());
                };
                let first = (piece.first_row - self.group.first_row) as u32;
                for (number, row) in numbers.iter().zip(first..) {
                    match verdicts.of(*number) {
                        Said::Yes => passing.push(row),
                        Said::Nothing => open.push(row),
                        Said::Texts(texts) => rest.push(row, texts),
                        Said::No => {}
                    }
                }
                ControlFlow::Continue(())
            });
            if flow.is_break() {
                return Err(self.part.damaged("numbers of shapes are not what was written"));
            }
        }
        passing.extend(self.by_rest(&rest)?);
        self.group.runs = self.of_part(&around(&open, self.group.rows as u32));
        Ok(passing)
    }

    /// Rows that pass, of those whose texts are known.
    fn by_rest(&self, Rest { rows, texts }: &Rest) -> Result<Vec<u32>, Error> {
        let mut out = Vec::new();
        if rows.is_empty() {
            return Ok(out);
        }
        let columns = self.reading.roots(self.group.number, &self.plan.rest);
        let mut done = 0;
        let _ = self.at(rows, columns, &mut |batch, positions, numbers| {
            let batch = self.attributes(batch.clone())?;
            let known = texts.get(done..done + numbers.len()).unwrap_or_default();
            self.plan.by_rest(
                &batch,
                positions.iter().zip(known).map(|(row, texts)| (*row, *texts)),
                &mut |nth| {
                    out.extend(numbers.get(nth));
                },
            );
            done += numbers.len();
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(out)
    }

    /// Runs by their numbers in the part.
    fn of_part(&self, runs: &[(u32, u32)]) -> Runs {
        let of_part =
            |(from, count): &(u32, u32)| (self.group.first_row + u64::from(*from), u64::from(*count));
        runs.iter().map(of_part).collect()
    }

    /// Rows that pass, by their messages first. `None`: the messages cannot be searched in the pages.
    fn sifted(&self) -> Result<Option<Vec<u32>>, Error> {
        let Some(sieve) = &self.plan.sieve else { return Ok(None) };
        let name = message_column(self.plan.signal);
        let unreadable =
            |e: parquet::errors::ParquetError| self.part.unreadable(&self.reading.source.disk, e);
        let sifting = Sifting::new(self.reading, &self.group, name).map_err(unreadable)?;
        let Some(mut sifting) = sifting else { return Ok(None) };
        let (mut passing, mut open) = (Vec::new(), Open::default());
        while let Some(page) = sifting.page().map_err(unreadable)? {
            let Found { first_row, text, rows } = page
                .search(sieve)
                .ok_or_else(|| self.part.damaged(format!("a page of {name} is not what was written")))?;
            for hit in rows {
                let row = first_row + hit.row;
                if hit.decided {
                    passing.push(row);
                    continue;
                }
                open.rows.push(row);
                open.texts.append_value(text.get(hit.from..hit.to).unwrap_or_default());
                if open.texts.values_slice().len() >= TEXTS {
                    passing.extend(self.verified(std::mem::take(&mut open))?);
                }
            }
        }
        passing.extend(self.verified(open)?);
        // Those that the sieve decided stand among those that had to be looked at.
        passing.sort_unstable();
        Ok(Some(passing))
    }

    /// The rows that pass of those with these messages.
    fn verified(&self, Open { rows, mut texts }: Open) -> Result<Vec<u32>, Error> {
        if rows.is_empty() {
            return Ok(rows);
        }
        let texts = texts.finish();
        let mut out = Vec::new();
        let name = message_column(self.plan.signal);
        let schema = self.reading.meta().file_metadata().schema_descr();
        let mut columns = self.reading.roots(self.group.number, &self.plan.tested);
        let fields = schema.root_schema().get_fields();
        columns.retain(|at| fields.get(*at).is_some_and(|field| field.name() != name));
        let mut verify = |batch: RecordBatch, numbers: &[u32]| {
            let passing = self.plan.verified(&batch);
            out.extend(passing.iter().filter_map(|row| numbers.get(*row as usize)));
        };
        if columns.is_empty() {
            verify(self.with_texts(None, texts, name)?, &rows);
            return Ok(out);
        }
        let mut done = 0;
        let _ = self.at(&rows, columns, &mut |batch, positions, numbers| {
            let damaged = |e| self.part.damaged(e);
            let others = take_record_batch(batch, &UInt32Array::from(positions.to_vec())).map_err(damaged)?;
            let others = self.attributes(others)?;
            verify(self.with_texts(Some(others), texts.slice(done, numbers.len()), name)?, numbers);
            done += numbers.len();
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(out)
    }

    /// A batch with a column of messages.
    fn with_texts(
        &self,
        others: Option<RecordBatch>,
        texts: BinaryArray,
        name: &str,
    ) -> Result<RecordBatch, Error> {
        let others = others.unwrap_or_else(|| RecordBatch::new_empty(Arc::new(Schema::empty())));
        let mut fields: Vec<Arc<Field>> = others.schema().fields().iter().cloned().collect();
        fields.push(Arc::new(Field::new(name, DataType::Binary, false)));
        let mut columns: Vec<ArrayRef> = others.columns().to_vec();
        columns.push(Arc::new(texts));
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(|e| self.part.damaged(e))
    }

    /// All attributes in the map, where the filter may ask for any.
    fn attributes(&self, batch: RecordBatch) -> Result<RecordBatch, Error> {
        if self.plan.tested.has_all_attributes() { self.part.whole(batch) } else { Ok(batch) }
    }

    /// Rows that pass, by all columns that the filter names.
    fn tested(&self) -> Result<Vec<u32>, Error> {
        let mut out = Vec::new();
        let columns = self.reading.roots(self.group.number, &self.plan.tested);
        let mut places = Places::new(self.group.runs.clone());
        for batch in self.reader(&self.group.runs, columns)? {
            let batch = batch.map_err(|e| self.part.unreadable(&self.reading.source.disk, e))?;
            let batch = self.attributes(batch)?;
            let _ = places.give(&batch, &mut |piece| {
                let first = (piece.first_row - self.group.first_row) as u32;
                out.extend(self.plan.passing(piece.batch).iter().map(|row| first + row));
                ControlFlow::Continue(())
            });
        }
        Ok(out)
    }

    fn reader(&self, runs: &Runs, roots: Vec<usize>) -> Result<ParquetRecordBatchReader, Error> {
        let reader = self.reading.reader(&self.group, runs, roots);
        reader.map_err(|e| self.part.unreadable(&self.reading.source.disk, e))
    }

    /// Reads columns at some rows.
    fn at(
        &self,
        rows: &[u32],
        columns: Vec<usize>,
        each: &mut Batches<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        let runs = around(rows, self.group.rows as u32);
        let positions = positions(rows, &runs);
        let (mut done, mut start) = (0, 0);
        for batch in self.reader(&self.of_part(&runs), columns)? {
            let batch = batch.map_err(|e| self.part.unreadable(&self.reading.source.disk, e))?;
            let end = start + batch.num_rows() as u32;
            let left = positions.get(done..).unwrap_or_default();
            let count = left.partition_point(|position| *position < end);
            if count > 0 {
                let of_batch: Vec<u32> = left.iter().take(count).map(|position| position - start).collect();
                let numbers = rows.get(done..done + count).unwrap_or_default();
                if each(&batch, &of_batch, numbers)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            (done, start) = (done + count, end);
        }
        if done < rows.len() {
            return Err(self.part.damaged(format!("{done} rows instead of {}", rows.len())));
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// Rows with what is known of their texts.
#[derive(Default)]
struct Rest {
    rows: Vec<u32>,
    texts: Vec<u64>,
}

impl Rest {
    fn push(&mut self, row: u32, texts: u64) {
        self.rows.push(row);
        self.texts.push(texts);
    }
}

/// Rows that have to be looked at, with their messages.
#[derive(Default)]
struct Open {
    rows: Vec<u32>,
    texts: BinaryBuilder,
}

/// First row and length of what is read so that some rows are: each by itself, or the blocks in which they lie.
fn around(rows: &[u32], end: u32) -> Vec<(u32, u32)> {
    let mut out: Vec<(u32, u32)> = Vec::new();
    let width = if rows.len() <= FEW { 1 } else { BLOCK_ROWS as u32 };
    for row in rows {
        let from = row - row % width;
        match out.last_mut() {
            Some((start, count)) if *row < *start + *count => {}
            Some((start, count)) if from == *start + *count => *count = (*count + width).min(end - *start),
            _ => out.push((from, width.min(end - from))),
        }
    }
    out
}

/// Where each row stands among those that are read.
fn positions(rows: &[u32], runs: &[(u32, u32)]) -> Vec<u32> {
    let (mut before, mut runs) = (0, runs.iter().peekable());
    let position = |row: &u32| {
        while let Some((_, count)) = runs.next_if(|(from, count)| from + count <= *row) {
            before += count;
        }
        runs.peek().map(|(from, _)| before + (row - from))
    };
    rows.iter().filter_map(position).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_rows_are_read_alone_many_with_their_blocks() {
        let rows = [3, 4, 9, 20];
        let runs = around(&rows, 30_000);
        assert_eq!(runs, [(3, 2), (9, 1), (20, 1)]);
        assert_eq!(positions(&rows, &runs), [0, 1, 2, 3]);
        let many: Vec<u32> = (0..100).map(|n| if n < 50 { n } else { 16_384 + n }).chain([29_999]).collect();
        let runs = around(&many, 30_000);
        assert_eq!(runs, [(0, 8_192), (16_384, 13_616)]);
        let places = positions(&many, &runs);
        assert_eq!(places.len(), many.len());
        assert_eq!((places[49], places[50], places[100]), (49, 8_192 + 50, 8_192 + 13_615));
        assert_eq!(around(&many, 40_000), [(0, 8_192), (16_384, 16_384)]);
    }
}
