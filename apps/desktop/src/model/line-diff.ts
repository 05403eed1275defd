// The difference of two texts by lines, with a few equal lines around each change.

export interface DiffLine {
  readonly kind: 'same' | 'add' | 'cut' | 'gap'
  readonly text: string
}

/** More than that would hold up the page: then all of the one goes and all of the other comes. */
const CELLS_MAX = 4_000_000

/** By the longest common run of lines (Myers would find the same for texts of this size, in more code). */
export function diffLines(before: string, after: string, context = 3): readonly DiffLine[] {
  const left = before.split('\n')
  const right = after.split('\n')
  const all = whole(left, right)
  const near = all.map((_, at) =>
    all.slice(Math.max(0, at - context), at + context + 1).some(({ kind }) => kind !== 'same'),
  )
  const lines: DiffLine[] = []
  all.forEach((line, at) => {
    if (near[at] === true) lines.push(line)
    else if (lines.at(-1)?.kind !== 'gap') lines.push({ kind: 'gap', text: '⋯' })
  })
  return all.every(({ kind }) => kind === 'same') ? [] : lines
}

function whole(left: readonly string[], right: readonly string[]): readonly DiffLine[] {
  let from = 0
  while (from < left.length && from < right.length && left[from] === right[from]) from++
  let end = 0
  while (
    end < left.length - from &&
    end < right.length - from &&
    left[left.length - 1 - end] === right[right.length - 1 - end]
  )
    end++
  const same = (text: string): DiffLine => ({ kind: 'same', text })
  return [
    ...left.slice(0, from).map(same),
    ...middle(left.slice(from, left.length - end), right.slice(from, right.length - end)),
    ...left.slice(left.length - end).map(same),
  ]
}

function middle(left: readonly string[], right: readonly string[]): readonly DiffLine[] {
  if (left.length * right.length > CELLS_MAX)
    return [
      ...left.map((text): DiffLine => ({ kind: 'cut', text })),
      ...right.map((text): DiffLine => ({ kind: 'add', text })),
    ]
  const width = right.length + 1
  const common = new Uint32Array((left.length + 1) * width)
  for (let row = left.length - 1; row >= 0; row--)
    for (let column = right.length - 1; column >= 0; column--)
      common[row * width + column] =
        left[row] === right[column]
          ? common[(row + 1) * width + column + 1]! + 1
          : Math.max(common[(row + 1) * width + column]!, common[row * width + column + 1]!)
  const lines: DiffLine[] = []
  let [row, column] = [0, 0]
  while (row < left.length || column < right.length) {
    if (row < left.length && column < right.length && left[row] === right[column]) {
      lines.push({ kind: 'same', text: left[row]! })
      row++
      column++
    } else if (
      column >= right.length ||
      (row < left.length && common[(row + 1) * width + column]! >= common[row * width + column + 1]!)
    ) {
      lines.push({ kind: 'cut', text: left[row++]! })
    } else lines.push({ kind: 'add', text: right[column++]! })
  }
  return lines
}
