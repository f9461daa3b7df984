namespace Nano;

/// <summary>
/// Discrete Fourier transforms of n complex numbers in double precision, of any n, by its prime factors (Cooley and
/// Tukey, 1965, in Stockham's order). With l the product of the factors so far, X[k][j] is frequency j of the l numbers
/// x[k + i n/l]; a further factor p makes l p of them:
/// <code>
/// X'[k][j] = sum over r &lt; p of w^(r j n/(l p)) X[k + r n/(l p)][j mod l],  w = e^(-2 pi i / n)
/// </code>
/// </summary>
internal readonly unsafe struct Fourier
{
    private readonly int count;
    private readonly double* turns; // [n, 2], w^0, w^1, ...

    /// <summary>Transforms of n numbers with the table of <see cref="Turns"/>.</summary>
    public Fourier(int count, double* turns)
    {
        this.count = count;
        this.turns = turns;
    }

    /// <summary>The powers of w, cosines and sines in turn.</summary>
    public static double[] Turns(int count)
    {
        var turns = new double[2 * count];
        for (int i = 0; i < count; i++)
        {
            var (sine, cosine) = Math.SinCos(2 * Math.PI * i / count);
            (turns[2 * i], turns[(2 * i) + 1]) = (cosine, -sine);
        }
        return turns;
    }

    /// <summary>Transforms x [n, 2]; both blocks are overwritten, and that with the result is returned.</summary>
    public double* Transform(double* x, double* other)
    {
        for (int done = 1, factor; done < count; done *= factor)
        {
            factor = SmallestFactor(count / done);
            Combine(x, done, factor, other);
            double* result = other;
            other = x;
            x = result;
        }
        return x;
    }

    private void Combine(double* x, int done, int factor, double* y)
    {
        int parts = count / (done * factor);
        for (int k = 0; k < parts; k++)
            for (int j = 0; j < done * factor; j++)
            {
                double real = 0, imaginary = 0;
                for (int r = 0; r < factor; r++)
                {
                    double* from = x + (2 * (((k + (r * parts)) * (nint)done) + (j % done)));
                    double* turn = turns + (2 * ((long)r * j * parts % count));
                    real += (from[0] * turn[0]) - (from[1] * turn[1]);
                    imaginary += (from[0] * turn[1]) + (from[1] * turn[0]);
                }
                double* to = y + (2 * ((k * (nint)done * factor) + j));
                (to[0], to[1]) = (real, imaginary);
            }
    }

    private static int SmallestFactor(int n)
    {
        for (int factor = 2; factor * factor <= n; factor++)
            if (n % factor == 0)
                return factor;
        return n;
    }
}
