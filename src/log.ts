/** The part of a logger that rooms without a web server need. Facts never hold a secret, an email or a query. */
export interface Log {
  debug(facts: object, message: string): void
  info(facts: object, message: string): void
  warn(facts: object, message: string): void
  error(facts: object, message: string): void
}
