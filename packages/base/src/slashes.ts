// Slashes at the end of an address or a path. Letter by letter: an expression for them begins anew at each of a million that stand elsewhere.

const SLASH = 0x2f

export function withoutTrailingSlashes(text: string): string {
  let end = text.length
  while (end > 0 && text.charCodeAt(end - 1) === SLASH) end -= 1
  return text.slice(0, end)
}
