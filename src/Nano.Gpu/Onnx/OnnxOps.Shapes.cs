namespace Nano;

internal sealed partial class OnnxOps
{
    /// <summary>Sizes that repeat as numbers; 1, which stays open, for the others.</summary>
    private string Forward(ExpandOp op)
    {
        var sizes = op.Y.Shape.ToArray();
        for (int i = 1; i <= op.X.Shape.Rank; i++)
            if (op.X.Shape[-i] == op.Y.Shape[-i])
                sizes[^i] = 1;
        return graph.Node("Expand", [Value(op.X), graph.Integers(sizes)]);
    }

    private string Forward(SumAxesOp op)
    {
        string sum = graph.Node("ReduceSum", [Value(op.X), graph.Integers(Dimensions(op.Axes))],
            ("keepdims", op.Y.Shape.Rank == op.X.Shape.Rank ? 1 : 0));
        return op.Factor == 1 ? sum : Times(sum, (float)op.Factor);
    }

    private void BackwardOfShapes(IOp op, string dy)
    {
        switch (op)
        {
            case PermuteOp permute:
                int[] inverse = new int[permute.X.Shape.Rank];
                for (int i = 0; i < inverse.Length; i++)
                    inverse[permute.Dimensions[i]] = i;
                AddGradient(permute.X, Transposed(dy, inverse));
                break;
            case ExpandOp expand: AddGradient(expand.X, SumOfRepeats(expand, dy)); break;
            case ConcatOp concat:
                int first = concat.A.Shape[concat.Axis];
                AddGradient(concat.A, Columns(dy, concat.Axis, 0, first));
                AddGradient(concat.B, Columns(dy, concat.Axis, first, concat.B.Shape[concat.Axis]));
                break;
            case GatherOp gather:
                AddGradient(gather.X, ScatteredAdd(dy, gather.Ids, gather.Axis, gather.X.Shape));
                break;
            case ScatterAddOp scatter:
                AddGradient(scatter.X, graph.Node("Gather", [dy, Value(scatter.Ids)], ("axis", scatter.Axis)));
                break;
            case SumAxesOp sum:
                string whole = Restored(dy, sum.X, sum.Y, Dimensions(sum.Axes));
                AddGradient(sum.X, Node("Add", Times(Value(sum.X), 0), Times(whole, (float)sum.Factor)));
                break;
            case MaxOp max:
                string x = Value(max.X),
                    place = graph.Node("ArgMax", [x], ("axis", max.Axis), ("keepdims", 1));
                AddGradient(max.X, graph.Node("ScatterElements",
                    [Times(x, 0), place, Restored(dy, max.X, max.Y, max.Axis)], ("axis", max.Axis)));
                break;
        }
    }

    /// <summary>A reduced value with the reduced dimensions as 1.</summary>
    private string Restored(string value, Tensor x, Tensor y, params ReadOnlySpan<long> axes) =>
        y.Shape.Rank == x.Shape.Rank ? value : graph.Node("Unsqueeze", [value, graph.Integers(axes)]);

    private string SumOfRepeats(ExpandOp op, string dy)
    {
        int missing = op.Y.Shape.Rank - op.X.Shape.Rank;
        if (missing > 0)
            dy = graph.Node("ReduceSum", [dy, graph.Integers(Dimensions((1 << missing) - 1))], ("keepdims", 0));
        int repeated = 0;
        for (int i = 0; i < op.X.Shape.Rank; i++)
            if (op.X.Shape[i] != op.Y.Shape[missing + i])
                repeated |= 1 << i;
        return repeated == 0 ? dy
            : graph.Node("ReduceSum", [dy, graph.Integers(Dimensions(repeated))], ("keepdims", 1));
    }

    /// <summary>
    /// Entries of a dimension added up at the places of ids: a product with the matrix that has a 1
    /// where an id points.
    /// </summary>
    private string ScatteredAdd(string value, Tensor ids, int axis, Shape shape)
    {
        long[] places = [.. Enumerable.Range(0, shape[axis]).Select(i => (long)i)];
        string ones = graph.Cast(Node("Equal", Reshaped(graph.Cast(Value(ids), OnnxType.Int64), -1, 1),
            graph.Integers(places)), OnnxType.Float32);
        int[] order = [.. Enumerable.Range(0, shape.Rank)];
        (order[axis], order[^1]) = (order[^1], order[axis]);
        bool isLast = axis == shape.Rank - 1;
        string sums = Product(isLast ? value : Transposed(value, order), ones);
        return isLast ? sums : Transposed(sums, order);
    }

    /// <summary>The dimensions of a mask.</summary>
    private static long[] Dimensions(int mask) =>
        [.. Enumerable.Range(0, 4).Where(i => (mask & (1 << i)) != 0).Select(i => (long)i)];
}
