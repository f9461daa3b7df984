namespace Nano;

/// <summary>
/// A tensor in Hugging Face's files, made of one parameter or of the rows of several. The rows lie in groups: of each
/// group the rows of the first parameter, then those of the second. One group: parameters above each other (Phi's
/// qkv_proj). A group for each head: GPT-NeoX's query_key_value, whose rows are [H, 3, D].
/// </summary>
/// <param name="Name">Its name in the files.</param>
/// <param name="Parameters">The names of the parameters.</param>
public sealed record FileTensor(string Name, params ValueList<string> Parameters)
{
    /// <summary>Groups of rows.</summary>
    public int Groups { get; init; } = 1;

    /// <summary>True if rows and columns are exchanged in the file.</summary>
    public bool IsTransposed { get; init; }

    /// <summary>The row of the file's tensor that is a row of a parameter.</summary>
    /// <param name="heights">The number of rows of each parameter.</param>
    /// <param name="part">The number of the parameter.</param>
    /// <param name="row">The row of the parameter.</param>
    public int RowInFile(ReadOnlySpan<int> heights, int part, int row)
    {
        int inGroup = heights[part] / Groups, group = row / inGroup, before = 0, all = 0;
        for (int i = 0; i < heights.Length; i++)
        {
            before += i < part ? heights[i] / Groups : 0;
            all += heights[i] / Groups;
        }
        return (group * all) + before + (row % inGroup);
    }

    /// <summary>The parameter and its row that are a row of the file's tensor.</summary>
    /// <param name="heights">The number of rows of each parameter.</param>
    /// <param name="row">The row of the file's tensor.</param>
    public (int Part, int Row) RowInModel(ReadOnlySpan<int> heights, int row)
    {
        int all = 0;
        foreach (int height in heights)
            all += height / Groups;
        (int group, int rest) = Math.DivRem(row, all);
        int part = 0;
        for (; rest >= heights[part] / Groups; part++)
            rest -= heights[part] / Groups;
        return (part, (group * (heights[part] / Groups)) + rest);
    }
}
