// `$(NAME)` in commands, arguments and values, replaced as Kubernetes does: `$$` is a dollar sign, unknown names stay.

export function expand(text: string, values: ReadonlyMap<string, string>): string {
  return text.replaceAll(/\$(?:\$|\(([^()]*)\))/g, (match, name: string | undefined) => {
    if (name === undefined) return '$'
    return values.get(name) ?? match
  })
}
