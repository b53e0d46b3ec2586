/**
 * Rows as columns four spaces apart, the way Vault prints every table: a row of dashes below the headers, cells
 * trimmed, `n/a` for an empty one, a row's last cell without padding.
 */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  return columns([header, header.map((name) => '-'.repeat(name.length)), ...rows]);
}

/** The same without headers. */
export function columns(rows: readonly (readonly string[])[]): string {
  const all = rows.map((row) => row.map((cell) => cell.trim() || 'n/a'));
  const widths: number[] = [];
  for (const row of all) {
    for (const [column, cell] of row.entries()) {
      widths[column] = Math.max(widths[column] ?? 0, characters(cell));
    }
  }
  return all.map((row) => row.map((cell, column) => pad(row, column, cell)).join('    ')).join('\n');

  function pad(row: readonly string[], column: number, cell: string): string {
    const missing = column === row.length - 1 ? 0 : widths[column]! - characters(cell);
    return cell + ' '.repeat(missing);
  }
}

function characters(text: string): number {
  return Array.from(text).length;
}

/** Vault's messages and help are set to this many columns. */
const lineWidth = 78;

/** A line too long for the limit (one long word) costs this much, so that any other break is better. */
const overfullPenalty = 1e5;

/**
 * A paragraph broken into lines of at most `lineWidth` less `indent` bytes, as even as they can be (the squares of
 * what the lines lack, summed, are least; the last line counts nothing), each indented.
 */
export function paragraph(text: string, indent = 0): string {
  const limit = lineWidth - indent;
  const words = text.trim().replaceAll('\n', ' ').split(' ');
  const sizes = words.map((word) => Buffer.byteLength(word));
  const cost: number[] = [];
  const lineEnd: number[] = [];
  for (let start = words.length - 1; start >= 0; start--) {
    let width = -1;
    const widths = sizes.slice(start).map((size) => (width += size + 1));
    if (widths.at(-1)! <= limit || start === words.length - 1) {
      cost[start] = 0;
      lineEnd[start] = words.length;
      continue;
    }
    cost[start] = Infinity;
    for (let end = start + 1; end < words.length; end++) {
      const lack = limit - widths[end - start - 1]!;
      const total = lack ** 2 + cost[end]! + (lack < 0 ? overfullPenalty : 0);
      if (total >= cost[start]!) continue;
      cost[start] = total;
      lineEnd[start] = end;
    }
  }
  const lines: string[] = [];
  for (let start = 0; start < words.length; start = lineEnd[start]!) {
    lines.push(' '.repeat(indent) + words.slice(start, lineEnd[start]).join(' '));
  }
  return lines.join('\n');
}
