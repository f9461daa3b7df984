namespace Nano;

/// <summary>
/// Round to nearest: each group of a row gets the grid from its smallest to its largest weight, and
/// each weight the nearest number there. Nothing is known of the inputs. The baseline of every
/// method here, and the last step of some.
/// </summary>
internal static class RoundToNearest
{
    /// <summary>Quantises a row.</summary>
    /// <param name="weights">The row.</param>
    /// <param name="to">Receives its codes and grids.</param>
    /// <param name="row">The number of the row there.</param>
    /// <param name="form">The numbers that grids may have.</param>
    public static void Quantise(ReadOnlySpan<double> weights, GroupedMatrix to, int row, GridForm form = GridForm.Exact)
    {
        Span<byte> codes = to.Row(row);
        for (int group = 0; group < to.Groups; group++)
        {
            int start = group * to.Group;
            GroupGrid grid = GroupGrid.Of(weights.Slice(start, to.Group), to.Most, form);
            to[row, group] = grid;
            for (int i = start; i < start + to.Group; i++)
                codes[i] = (byte)grid.Code(weights[i]);
        }
    }
}
