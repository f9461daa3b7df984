namespace Nano;

/// <summary>
/// GPTQ (Frantar et al., arXiv:2210.17323): the columns of a matrix are rounded one after another,
/// and the columns that are still to come make up for the error. With inputs X [tokens, columns]
/// the error of a row is d H d^T, H = 2 X^T X / tokens; when column i is fixed, the best change of the
/// rest follows from the inverse of H, and all of it from one factor inverse(H) = U^T U:
/// <code>
/// q = round(w_i)   e = (w_i - q) / U[i, i]   w_j -= e U[i, j] for all j > i
/// </code>
/// A part of the mean of H's diagonal is added to all of it, or H might have no inverse. The grid
/// of a group is that of its weights when its first column is reached. In act-order, columns of large
/// inputs come first, while many can still make up for them; grids are then those of the weights as
/// they were, since a group is met in pieces.
/// </summary>
internal static class Gptq
{
    // Rows that are quantised side by side, so that a row of U is read once for all of them.
    private const int Crowd = 8;

    private const double Damping = 0.01;

    /// <summary>The inputs of a matrix as GPTQ uses them.</summary>
    /// <param name="U">The factor [columns, columns], in the order of the columns.</param>
    /// <param name="Order">The columns in the order in which they are rounded.</param>
    /// <param name="IsOrdered">True for act-order.</param>
    public sealed record Inputs(double[] U, int[] Order, bool IsOrdered);

    /// <summary>Factors the products of the inputs.</summary>
    /// <param name="gram">X^T X / tokens, [columns, columns].</param>
    /// <param name="columns">Columns.</param>
    /// <param name="isOrdered">True for act-order.</param>
    /// <exception cref="QuantisationException">An input was NaN or infinite.</exception>
    public static Inputs Factor(ReadOnlySpan<double> gram, int columns, bool isOrdered)
    {
        var diagonal = new double[columns];
        double sum = 0;
        for (int i = 0; i < columns; i++)
            sum += diagonal[i] = 2 * gram[(i * columns) + i];
        int[] order = [.. Enumerable.Range(0, columns)];
        if (isOrdered)
            order = [.. order.OrderByDescending(i => diagonal[i])]; // stable
        double more = sum == 0 ? 1 : Damping * (sum / columns);
        var h = new double[columns * columns];
        for (int i = 0; i < columns; i++)
            for (int j = 0; j <= i; j++)
                h[(i * columns) + j] = (2 * gram[(order[i] * columns) + order[j]]) + (i == j ? more : 0);
        return new Inputs(Triangular.InverseFactor(h, columns), order, isOrdered);
    }

    /// <summary>Quantises a matrix [rows, columns].</summary>
    /// <param name="weights">The matrix.</param>
    /// <param name="inputs">Its inputs.</param>
    /// <param name="to">Receives its codes and grids.</param>
    /// <param name="threads">The threads to use.</param>
    /// <param name="form">The numbers that grids may have.</param>
    public static void Quantise(double[] weights, Inputs inputs, GroupedMatrix to, ParallelOptions threads,
        GridForm form = GridForm.Exact) =>
        Parallel.For(0, (to.Rows + Crowd - 1) / Crowd, threads, crowd =>
            Quantise(weights, inputs, to, crowd * Crowd, Math.Min(to.Rows, (crowd + 1) * Crowd), form));

    private static void Quantise(double[] weights, Inputs inputs, GroupedMatrix to, int first, int end, GridForm form)
    {
        int columns = to.Columns;
        var (u, order) = (inputs.U, inputs.Order);
        var rest = new double[(end - first) * columns];
        for (int row = first; row < end; row++)
        {
            ReadOnlySpan<double> from = weights.AsSpan(row * columns, columns);
            Span<double> moved = rest.AsSpan((row - first) * columns, columns);
            for (int i = 0; i < columns; i++)
                moved[i] = from[order[i]];
            for (int group = 0; inputs.IsOrdered && group < to.Groups; group++)
                to[row, group] = GroupGrid.Of(from.Slice(group * to.Group, to.Group), to.Most, form);
        }
        for (int i = 0; i < columns; i++)
        {
            int column = order[i], group = column / to.Group;
            ReadOnlySpan<double> factors = u.AsSpan((i * columns) + i, columns - i);
            for (int row = first; row < end; row++)
            {
                Span<double> left = rest.AsSpan(((row - first) * columns) + i, columns - i);
                if (!inputs.IsOrdered && i % to.Group == 0)
                    to[row, group] = GroupGrid.Of(left[..to.Group], to.Most, form);
                GroupGrid grid = to[row, group];
                int code = grid.Code(left[0]);
                to.Row(row)[column] = (byte)code;
                Triangular.Subtract(left[1..], (left[0] - grid.Value(code)) / factors[0], factors[1..]);
            }
        }
    }
}
