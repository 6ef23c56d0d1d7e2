import { HoldfastError } from '../../kernel/index.ts';

/** A request to control the emulator that cannot be obeyed. */
export class EmulatorControlError extends HoldfastError {
  readonly code = 'HOLDFAST_EMULATOR_CONTROL';
  /** The HTTP status it is answered with. */
  readonly status: 400 | 403 | 404 | 405 | 409 | 413;

  constructor(status: EmulatorControlError['status'], message: string) {
    super(message);
    this.status = status;
  }
}
