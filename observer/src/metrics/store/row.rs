//! What was measured within one step, and how steps become a longer one.

use crate::metrics::columns::{Column, Kind};

/// One column within one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cell {
    /// The mean; of columns that hold a sum or the last value, that.
    pub(super) mean: f64,
    /// The greatest value.
    pub(super) max: f64,
    /// What 95 of 100 values do not exceed.
    pub(super) p95: f64,
}

impl Cell {
    /// Of a single value.
    pub(super) fn of(value: f64) -> Self {
        Self { mean: value, max: value, p95: value }
    }
}

/// A cell a column; none where nothing was measured.
pub(super) type Row = Vec<Option<Cell>>;

/// What the rows of short steps, oldest first, are together.
pub(super) fn merge(columns: &[Column], rows: &[&Row]) -> Row {
    columns.iter().enumerate().map(|(place, column)| merge_column(column.kind, rows, place)).collect()
}

fn merge_column(kind: Kind, rows: &[&Row], place: usize) -> Option<Cell> {
    let cells: Vec<Cell> = rows.iter().filter_map(|row| row.get(place).copied().flatten()).collect();
    let sum: f64 = cells.iter().map(|cell| cell.mean).sum();
    #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
    let mean = sum / cells.len() as f64;
    match kind {
        _ if cells.is_empty() => None,
        Kind::Last => cells.last().copied(),
        Kind::Sum => Some(Cell::of(sum)),
        Kind::Mean => Some(Cell::of(mean)),
        Kind::Varying => {
            let max = cells.iter().map(|cell| cell.max).fold(0.0, f64::max);
            let mut values: Vec<f64> = cells.iter().map(|cell| cell.p95).collect();
            values.sort_by(f64::total_cmp);
            // Of what was measured this is the percentile itself. Of longer steps' percentiles it is no less than that.
            let single = cells.iter().all(|cell| cell.max <= cell.mean);
            let p95 = if single { quantile(&values, 0.95) } else { values.last().copied().unwrap_or(max) };
            Some(Cell { mean, max, p95 })
        }
    }
}

/// The quantile of sorted values, between two of them in proportion, as Prometheus has it.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
    let rank = share * (sorted.len().saturating_sub(1)) as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below the length")]
    let below = rank.floor() as usize;
    let Some(low) = sorted.get(below) else { return 0.0 };
    let high = sorted.get(below + 1).unwrap_or(low);
    low + (high - low) * rank.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(kind: Kind) -> [Column; 1] {
        [Column { name: "x", unit: "y", kind }]
    }

    fn merged(kind: Kind, values: &[Option<f64>]) -> Option<Cell> {
        let rows: Vec<Row> = values.iter().map(|value| vec![value.map(Cell::of)]).collect();
        merge(&column(kind), &rows.iter().collect::<Vec<_>>())[0]
    }

    #[test]
    fn each_kind_is_merged_in_its_way() {
        let values = [Some(1.0), None, Some(2.0), Some(6.0)];
        assert_eq!(merged(Kind::Last, &values), Some(Cell::of(6.0)));
        assert_eq!(merged(Kind::Sum, &values), Some(Cell::of(9.0)));
        assert_eq!(merged(Kind::Mean, &values), Some(Cell::of(3.0)));
        let varying = merged(Kind::Varying, &values).expect("has values");
        assert_eq!((varying.mean, varying.max), (3.0, 6.0));
        assert!((varying.p95 - 5.6).abs() < 1e-9, "{varying:?}");
        for kind in [Kind::Last, Kind::Sum, Kind::Mean, Kind::Varying] {
            assert_eq!(merged(kind, &[None, None]), None);
        }
    }

    #[test]
    fn a_percentile_of_percentiles_is_the_greatest_of_them() {
        let rows = [(1.0, 9.0, 7.0), (2.0, 3.0, 3.0)].map(|(mean, max, p95)| vec![Some(Cell { mean, max, p95 })]);
        let merged = merge(&column(Kind::Varying), &rows.iter().collect::<Vec<_>>())[0];
        assert_eq!(merged, Some(Cell { mean: 1.5, max: 9.0, p95: 7.0 }));
    }
}
