// Turns `has`, `all`, `exists`, `map` and their kin into comprehensions, the shape whose cost upstream counts.

import { LexerError } from './lexer.ts'
import { accumulatorName, type Expr } from './ast.ts'
import type { NodeFactory } from './node-factory.ts'

interface Call {
  readonly name: string
  readonly target: Expr | undefined
  readonly args: readonly Expr[]
  readonly offset: number
}

/** The call, or what it stands for. Throws LexerError where a macro's arguments have the wrong shape. */
export function expandMacro(make: NodeFactory, call: Call): Expr {
  const expanded = call.target === undefined ? globalMacro(make, call) : memberMacro(make, call, call.target)
  return expanded ?? make.call(call.offset, call.name, call.args, call.target)
}

function globalMacro(make: NodeFactory, { name, args, offset }: Call): Expr | undefined {
  if (name !== 'has' || args.length !== 1) return undefined
  const [arg] = args
  if (arg?.kind !== 'select') throw new LexerError(arg!.offset, 'invalid argument to has() macro')
  return make.select(offset, arg.operand, arg.field, true)
}

function memberMacro(make: NodeFactory, call: Call, range: Expr): Expr | undefined {
  const { name, args } = call
  const two = args.length >= 3
  switch (name) {
    case 'all':
    case 'exists':
    case 'exists_one':
    case 'existsOne':
      if (args.length !== 2 && args.length !== 3) return undefined
      return quantifier(make, call, range, two)
    case 'map':
      if (args.length !== 2 && args.length !== 3) return undefined
      return transformList(make, call, { range, variables: [variable(args[0]!)], rest: args.slice(1) })
    case 'filter':
      return args.length === 2 ? filter(make, call, range) : undefined
    case 'transformList':
      if (args.length !== 3 && args.length !== 4) return undefined
      return transformList(make, call, { range, variables: variables(args), rest: args.slice(2) })
    case 'transformMap':
    case 'transformMapEntry':
      if (args.length !== 3 && args.length !== 4) return undefined
      return transformMap(make, call, range)
    case 'bind':
      return make.hasBindings && isNamespace(range) && args.length === 3 ? bind(make, call) : undefined
    case 'optMap':
    case 'optFlatMap':
      return args.length === 2 ? optional(make, call, range) : undefined
    case 'sortBy':
      return args.length === 2 ? sortBy(make, call, range) : undefined
    default:
      return undefined
  }
}

function variable(arg: Expr, complaint = 'argument is not an identifier'): string {
  if (arg.kind !== 'ident') throw new LexerError(arg.offset, complaint)
  if (arg.name === accumulatorName || arg.name === '__result__') {
    throw new LexerError(arg.offset, 'iteration variable overwrites accumulator variable')
  }
  return arg.name
}

function variables(args: readonly Expr[]): readonly [string, string] {
  const names = [0, 1].map((index) => variable(args[index]!, 'argument must be a simple name')) as [string, string]
  if (names[0] === names[1]) throw new LexerError(args[1]!.offset, `duplicate variable name: ${names[0]}`)
  return names
}

function quantifier(make: NodeFactory, { name, args, offset }: Call, range: Expr, isTwo: boolean): Expr {
  const [first, second] = isTwo ? variables(args) : [variable(args[0]!, 'argument must be a simple name'), undefined]
  const predicate = args.at(-1)!
  const accu = (): Expr => make.accumulator(offset)
  const head = { range, variable: first, variable2: second }
  if (name === 'all') {
    return make.fold(offset, {
      ...head,
      initial: make.literal(offset, true),
      condition: make.call(offset, '@not_strictly_false', [accu()]),
      step: make.call(offset, '_&&_', [accu(), predicate]),
      result: accu(),
    })
  }
  if (name === 'exists') {
    return make.fold(offset, {
      ...head,
      initial: make.literal(offset, false),
      condition: make.call(offset, '@not_strictly_false', [make.call(offset, '!_', [accu()])]),
      step: make.call(offset, '_||_', [accu(), predicate]),
      result: accu(),
    })
  }
  const one = (): Expr => make.literal(offset, 1n)
  return make.fold(offset, {
    ...head,
    initial: make.literal(offset, 0n),
    condition: make.literal(offset, true),
    step: make.call(offset, '_?_:_', [predicate, make.call(offset, '_+_', [accu(), one()]), accu()]),
    result: make.call(offset, '_==_', [accu(), one()]),
  })
}

interface ListTransform {
  readonly range: Expr
  readonly variables: readonly [string, string?]
  /** The transform, before it the filter where there is one. */
  readonly rest: readonly Expr[]
}

function transformList(make: NodeFactory, { offset }: Call, { range, variables, rest }: ListTransform): Expr {
  const accu = (): Expr => make.accumulator(offset)
  const append = make.call(offset, '_+_', [accu(), make.list(offset, [rest.at(-1)!])])
  return make.fold(offset, {
    range,
    variable: variables[0],
    variable2: variables[1],
    initial: make.list(offset, []),
    condition: make.literal(offset, true),
    step: rest.length === 1 ? append : make.call(offset, '_?_:_', [rest[0]!, append, accu()]),
    result: accu(),
  })
}

function filter(make: NodeFactory, call: Call, range: Expr): Expr {
  const [name, predicate] = call.args as [Expr, Expr]
  return transformList(make, call, { range, variables: [variable(name)], rest: [predicate, name] })
}

function transformMap(make: NodeFactory, { name, args, offset }: Call, range: Expr): Expr {
  const [first, second] = variables(args)
  const accu = (): Expr => make.accumulator(offset)
  const transform = args.at(-1)!
  const inserted = name === 'transformMap' ? [make.ident(offset, first), transform] : [transform]
  const insert = make.call(offset, 'cel.@mapInsert', [accu(), ...inserted])
  return make.fold(offset, {
    range,
    variable: first,
    variable2: second,
    initial: make.map(offset, []),
    condition: make.literal(offset, true),
    step: args.length === 3 ? insert : make.call(offset, '_?_:_', [args[2]!, insert, accu()]),
    result: accu(),
  })
}

/** `o.optMap(x, e)`: e with x as the value of o, where o has one. The value is bound by a fold over nothing. */
function optional(make: NodeFactory, { name, args, offset }: Call, target: Expr): Expr {
  const bound = variable(args[0]!)
  const value = make.fold(offset, {
    range: make.list(offset, []),
    variable: '#unused',
    accumulator: bound,
    initial: make.call(offset, 'value', [], target),
    condition: make.literal(offset, false),
    step: make.ident(offset, bound),
    result: args[1]!,
  })
  return make.call(offset, '_?_:_', [
    make.call(offset, 'hasValue', [], target),
    name === 'optMap' ? make.call(offset, 'optional.of', [value]) : value,
    make.call(offset, 'optional.none', []),
  ])
}

function isNamespace(target: Expr): boolean {
  return target.kind === 'ident' && target.name === 'cel'
}

/** `cel.bind(x, value, e)`: e with x as the value, which is computed once. */
function bind(make: NodeFactory, { args, offset }: Call): Expr {
  const bound = variable(args[0]!, 'cel.bind() variable names must be simple identifiers')
  return make.fold(offset, {
    range: make.list(offset, []),
    variable: '#unused',
    accumulator: bound,
    initial: args[1]!,
    condition: make.literal(offset, false),
    step: make.ident(offset, bound),
    result: args[2]!,
  })
}

/** `l.sortBy(x, key)`: l bound once, sorted by the keys of its items. */
function sortBy(make: NodeFactory, { name, args, offset }: Call, target: Expr): Expr {
  const bound = '@__sortBy_input__'
  const list = (): Expr => make.ident(offset, bound)
  const keys = transformList(
    make,
    { name, target, args, offset },
    {
      range: list(),
      variables: [variable(args[0]!)],
      rest: [args[1]!],
    },
  )
  return make.fold(offset, {
    range: make.list(offset, []),
    variable: '#unused',
    accumulator: bound,
    initial: target,
    condition: make.literal(offset, false),
    step: list(),
    result: make.call(offset, '@sortByAssociatedKeys', [keys], list()),
  })
}
