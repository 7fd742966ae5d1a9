/** Stands for codecs of NiiVue that no file of the reading room needs, so that they are not shipped. */

export default class NotLoaded {
  static fromConfig(): never {
    throw new Error("This page reads NIfTI alone.");
  }
}
