// How much a test does: little in the gate, all of it with `./aksel test all`. What is asserted is the same at both sizes.

export type TestSize = 'gate' | 'full'

/** Set by `./aksel test`; a test file that is run by itself gets the gate's size. */
export function testSize(environment: Readonly<Record<string, string | undefined>> = process.env): TestSize {
  return environment['AKSEL_TEST_SIZE'] === 'full' ? 'full' : 'gate'
}

/** The minor of Kubernetes that clusters of tests have where they do not care: `1.34`; undefined: the product's default. */
export function testMinor(environment: Readonly<Record<string, string | undefined>> = process.env): string | undefined {
  return environment['AKSEL_TEST_MINOR']
}

/** `sized({ gate: 50, full: 1000 })` */
export function sized<T>(by: Readonly<Record<TestSize, T>>): T {
  return by[testSize()]
}
