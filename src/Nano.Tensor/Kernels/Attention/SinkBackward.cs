namespace Nano;

/// <summary>
/// The gradient of a head's sink logit. It takes the share exp(sink - L_i) of query i and gives it
/// no value, so through the softmax d sink = -sum_i exp(sink - L_i) delta_i, delta_i = do_i . o_i,
/// in the order of the rows. An item of work is a head.
/// </summary>
/// <param name="heads">H.</param>
/// <param name="columns">Channels of a head's output.</param>
/// <param name="texts">Entries of the batch, or segments.</param>
/// <param name="length">Queries of each entry.</param>
/// <param name="starts">The first row of each segment, and the end of the last; null for entries.</param>
/// <param name="sinks">The logits.</param>
/// <param name="logSumExp">L, [H, length] of each text in turn.</param>
/// <param name="y">o.</param>
/// <param name="dy">do.</param>
/// <param name="dSinks">Receives the gradient.</param>
internal readonly unsafe struct SinkBackward(nint heads, int columns, int texts, int length, int* starts, float* sinks,
    float* logSumExp, float* y, float* dy, GradientTarget dSinks) : IKernel
{
    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        for (nint head = begin; head < end; head++)
        {
            double sum = 0;
            for (int text = 0; text < texts; text++)
            {
                nint first = starts == null ? text * (nint)length : starts[text],
                    rows = starts == null ? length : starts[text + 1] - first;
                float* sums = logSumExp + (first * heads) + (head * rows);
                for (nint row = 0; row < rows; row++)
                    sum -= SimdMath.ExpNormalOrZero<SimdScalar, float>(sinks[head] - sums[row])
                        * Delta((((first + row) * heads) + head) * columns);
            }
            dSinks.Put<SimdScalar, float>(head, (float)sum);
        }
    }

    private double Delta(nint at)
    {
        double delta = 0;
        for (int c = 0; c < columns; c++)
            delta += (double)dy[at + c] * y[at + c];
        return delta;
    }
}
