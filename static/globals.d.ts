// Globals of the classic scripts that the pages load before the modules, and what the page shows to measurements.

declare class uPlot {
  constructor(options: object, data: (number | null)[][], holder: HTMLElement);
  width: number;
  height: number;
  setData(data: (number | null)[][]): void;
  setSize(size: { width: number; height: number }): void;
  destroy(): void;
}

interface Window {
  ringfence: {
    /** ms from encoding on the host to the painted frame, latest last, at most 512. */
    latency: number[];
    /** ms that painting took, latest last, at most 512. */
    painting: number[];
    p50(): number;
  };
}
