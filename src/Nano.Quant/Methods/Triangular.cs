using System.Numerics;
using System.Runtime.InteropServices;

namespace Nano;

/// <summary>Factors of symmetric matrices in double precision, with the same bits at every width.</summary>
internal static class Triangular
{
    /// <summary>
    /// The upper triangular U with inverse(H) = U^T U of a positive definite H [n, n].
    /// <para>
    /// The inverse itself is never formed. H = V V^T with V upper triangular, found from the last
    /// column to the first; then inverse(H) = V^-T V^-1, so U = V^-1, found row by row from the last:
    /// row i is (unit i - sum over k > i of V[i, k] row k) / V[i, i].
    /// </para>
    /// </summary>
    /// <param name="h">H; its lower triangle becomes the transpose of V.</param>
    /// <param name="n">Its size.</param>
    /// <exception cref="QuantisationException">H is not positive definite.</exception>
    public static double[] InverseFactor(double[] h, int n)
    {
        for (int k = n - 1; k >= 0; k--)
        {
            Span<double> v = h.AsSpan(k * n, k + 1);
            double pivot = Math.Sqrt(v[k]);
            if (!(pivot > 0) || !double.IsFinite(pivot))
                throw new QuantisationException("the products of the inputs are not positive definite: inputs are NaN, "
                    + "infinite, or beyond each other in size", k);
            for (int i = 0; i < k; i++)
                v[i] /= pivot;
            v[k] = pivot;
            for (int i = 0; i < k; i++)
                Subtract(h.AsSpan(i * n, i + 1), v[i], v);
        }
        var u = new double[h.Length];
        for (int i = n - 1; i >= 0; i--)
        {
            Span<double> row = u.AsSpan((i * n) + i, n - i);
            row[0] = 1;
            for (int k = i + 1; k < n; k++)
                Subtract(row[(k - i)..], h[(k * n) + i], u.AsSpan((k * n) + k, n - k));
            for (int j = 0; j < row.Length; j++)
                row[j] /= h[(i * n) + i];
        }
        return u;
    }

    /// <summary>to -= factor * x, each product and each difference rounded.</summary>
    public static void Subtract(Span<double> to, double factor, ReadOnlySpan<double> x)
    {
        x = x[..to.Length];
        var vectors = MemoryMarshal.Cast<double, Vector<double>>(to);
        var others = MemoryMarshal.Cast<double, Vector<double>>(x);
        var factors = new Vector<double>(factor);
        for (int i = 0; i < vectors.Length; i++)
            vectors[i] -= factors * others[i];
        for (int i = vectors.Length * Vector<double>.Count; i < to.Length; i++)
            to[i] -= factor * x[i];
    }
}
