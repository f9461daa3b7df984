namespace Nano;

/// <summary>
/// Sums of products by labels of dimensions, as a method of <see cref="Compute"/>.
/// </summary>
public static class EinsumExtensions
{
    /// <summary>
    /// The sum of products of two tensors, whose dimensions have a letter each: "bik,bkj->bij" is a
    /// product of matrices, row by row of a batch. Letters that the result lacks are summed over.
    /// The operands are permuted to [batch, M, K] and [batch, K, N], multiplied by <see
    /// cref="MatMulExtensions.MatMul"/>, and permuted back.
    /// </summary>
    /// <param name="compute">The context to run in.</param>
    /// <param name="labels">The letters of a, of b and of the result: "ij,jk->ik".</param>
    /// <param name="a">Up to four dimensions.</param>
    /// <param name="b">Up to four dimensions.</param>
    /// <exception cref="ArgumentException">The labels are malformed or do not fit the shapes; the
    /// message names the letter.</exception>
    public static Tensor Einsum(this Compute compute, string labels, Tensor a, Tensor b)
    {
        var (ofA, ofB, ofY) = Parse(labels, a, b);
        (a, ofA) = SumOwn(compute, a, ofA, ofB, ofY);
        (b, ofB) = SumOwn(compute, b, ofB, ofA, ofY);
        string batch = string.Concat(ofY.Where(l => ofA.Contains(l) && ofB.Contains(l))),
            m = string.Concat(ofY.Where(l => !ofB.Contains(l))), n = string.Concat(ofY.Where(l => !ofA.Contains(l))),
            k = string.Concat(ofA.Where(l => !ofY.Contains(l)));
        int Size(string some) =>
            some.Aggregate(1, (size, l) => checked(size * (ofA.Contains(l) ? a.Shape[ofA.IndexOf(l)]
                : b.Shape[ofB.IndexOf(l)])));
        int[] sizes = [.. (batch + m + n).Select(l => Size(l.ToString()))];
        var left = compute.Arranged(a, ofA, batch + m + k).Reshape(new Shape(Size(batch), Size(m), Size(k)));
        var right = compute.Arranged(b, ofB, batch + k + n).Reshape(new Shape(Size(batch), Size(k), Size(n)));
        return compute.Arranged(compute.MatMul(left, right).Reshape(new Shape(sizes)), batch + m + n, ofY);
    }

    private static (string A, string B, string Y) Parse(string labels, Tensor a, Tensor b)
    {
        string[] sides = labels.Replace(" ", "", StringComparison.Ordinal).Split("->"),
            operands = sides[0].Split(',');
        if (sides.Length != 2 || operands.Length != 2)
            throw new ArgumentException($"einsum: expected labels such as \"ij,jk->ik\", got \"{labels}\"");
        foreach (var (some, tensor) in new[] { (operands[0], a), (operands[1], b) })
            if (some.Length != tensor.Shape.Rank)
                throw new ArgumentException($"einsum: \"{some}\" in \"{labels}\" names {some.Length} dimensions, "
                    + $"{tensor} has {tensor.Shape.Rank}");
        foreach (string some in new[] { operands[0], operands[1], sides[1] })
            foreach (char label in some)
                if (!char.IsAsciiLetter(label) || some.Count(other => other == label) > 1)
                    throw new ArgumentException($"einsum: label '{label}' in \"{labels}\" is no letter, or is twice "
                        + $"in \"{some}\"");
        foreach (char label in sides[1])
            if (!sides[0].Contains(label))
                throw new ArgumentException($"einsum: label '{label}' of the result is in neither operand of "
                    + $"\"{labels}\"");
        foreach (char label in operands[0])
            if (operands[1].IndexOf(label) is var at and >= 0
                && a.Shape[operands[0].IndexOf(label)] != b.Shape[at])
                throw new ArgumentException($"einsum: label '{label}' of \"{labels}\" has size "
                    + $"{a.Shape[operands[0].IndexOf(label)]} in {a} and {b.Shape[at]} in {b}");
        return sides[1].Length <= 4 ? (operands[0], operands[1], sides[1])
            : throw new ArgumentException($"einsum: the result of \"{labels}\" has more than 4 dimensions");
    }

    /// <summary>
    /// An operand summed over the dimensions that neither the other one nor the result has.
    /// </summary>
    private static (Tensor X, string Labels) SumOwn(Compute compute, Tensor x, string labels, string other,
        string result)
    {
        int[] own = [.. labels.Select((label, i) => (label, i))
            .Where(one => !other.Contains(one.label) && !result.Contains(one.label)).Select(one => one.i)];
        return own.Length == 0 ? (x, labels)
            : (compute.Sum(x, own), string.Concat(labels.Where((_, i) => !own.Contains(i))));
    }

    private static Tensor Arranged(this Compute compute, Tensor x, string labels, string order) =>
        compute.Contiguous(labels == order ? x : compute.Permute(x, [.. order.Select(l => labels.IndexOf(l))]));
}
