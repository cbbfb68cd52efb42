//! Columns of plain text, as wide as what stands in them. It knows nothing of verdicts.

/// Rows under a head, two blanks between columns; the last column isn't padded. Each row begins with its mark.
pub(super) fn render(head: &[&str], rows: &[(String, Vec<String>)]) -> Vec<String> {
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for (_, row) in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &[String]| {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(&widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width + 2 - cell.chars().count()));
        }
        line.trim_end().to_owned()
    };
    let head: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
    let mut lines = vec![format!("    {}", line(&head))];
    lines.extend(rows.iter().map(|(mark, row)| format!("  {mark} {}", line(row))));
    lines
}
