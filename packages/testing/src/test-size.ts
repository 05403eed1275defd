// How much a test does: little in the gate, all of it with `./aksel test all`. What is asserted is the same at both sizes.

export type TestSize = 'gate' | 'full'

/** Set by `./aksel test`; a test file that is run by itself gets the gate's size. */
export function testSize(environment: Readonly<Record<string, string | undefined>> = process.env): TestSize {
  return environment['AKSEL_TEST_SIZE'] === 'full' ? 'full' : 'gate'
}

/** `sized({ gate: 50, full: 1000 })` */
export function sized<T>(by: Readonly<Record<TestSize, T>>): T {
  return by[testSize()]
}
