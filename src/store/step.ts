/** Runs one atomic step, and does what its database needs around it (waiting for a lock, naming a failure). */
export type Step = <T>(work: () => Promise<T>) => Promise<T>
