using FsCheck;
using FsCheck.Fluent;

namespace Nano.Tests.Data;

public class PackedRowsTests
{
    const int End = 0;

    /// <summary>A text of documents with these many tokens after their mark; every token says where it is.</summary>
    static int[] Documents(params int[] lengths)
    {
        var ids = new List<int>();
        foreach (int length in lengths)
        {
            ids.Add(End);
            for (int i = 0; i < length; i++)
                ids.Add(ids.Count);
        }
        return [.. ids];
    }

    static List<int[]> Rows(int[] ids, int time)
    {
        var rows = new PackedRows(TokenSource.Of(ids), time, End);
        return [.. Enumerable.Range(0, rows.Count)
            .Select(row => ids[(int)rows[row].Start..(int)(rows[row].Start + rows[row].Length)])];
    }

    [Fact]
    public void Rows_by_hand()
    {
        // Marks included, the documents have 3, 4, 2, 11 and 1 tokens.
        int[] ids = Documents(2, 3, 1, 10, 0);
        Assert.Equal([ids[0..3], ids[3..9], ids[9..15], ids[15..21]], Rows(ids, 6));
        Assert.Equal([ids[0..9], ids[9..19], ids[19..21]], Rows(ids, 10));
        Assert.Equal([ids], Rows(ids, 21));
        Assert.Equal([1, 2, 3], Rows([1, 2, 3], 5).Single()); // a text that begins within a document
    }

    [Fact]
    public void Rows_are_whole_documents_in_order_and_none_could_take_the_next()
    {
        var cases = from lengths in Gen.Choose(0, 40).ArrayOf()
                    from time in Gen.Choose(1, 30)
                    where lengths.Length > 0
                    select (lengths, time);
        Prop.ForAll(cases.ToArbitrary(), of =>
        {
            int[] ids = Documents(of.lengths);
            var rows = Rows(ids, of.time);
            Assert.Equal(ids, rows.SelectMany(row => row));
            int at = 0;
            foreach (int[] row in rows)
            {
                Assert.InRange(row.Length, 1, of.time);
                int end = at + row.Length;
                int begin = Array.LastIndexOf(ids, End, end - 1),
                    next = end < ids.Length ? Array.IndexOf(ids, End, end) : end;
                if (next < 0)
                    next = ids.Length;
                // It ends with a document, or with a full piece of one that is too long for any row.
                Assert.True(next == end || (row.Length == of.time && next - begin > of.time), $"row {at}..{end}");
                if (next == end && end < ids.Length)
                {
                    int after = Array.IndexOf(ids, End, end + 1);
                    Assert.True((after < 0 ? ids.Length : after) - at > of.time, "the next document had room");
                }
                at = end;
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));
    }

    [Fact]
    public void Targets_never_cross_a_document_and_every_one_counts_once_per_epoch()
    {
        var cases = from lengths in Gen.Choose(0, 20).ArrayOf()
                    from time in Gen.Choose(2, 12)
                    from batch
            in Gen.Choose(1, 4)
                    from seed in Gen.Choose(0, 1000)
                    where lengths.Length > 12
                    select (lengths, time, batch, seed: (ulong)seed);
        Prop.ForAll(cases.ToArbitrary(), of =>
        {
            int[] ids = Documents(of.lengths);
            if (ids.Length <= of.time)
                return;
            var loader = new BatchLoader(TokenSource.Of(ids), of.batch, of.time, "test", Sampling.Epochs, End);
            var seen = new List<int>();
            var (inputs, targets) = (new Tensor(new Shape(of.batch, of.time),
                DType.Int32), new Tensor(new Shape(of.batch, of.time), DType.Int32));
            for (int batch = 0; seen.Count < ids.Length - 1; batch++)
            {
                loader.Training(of.seed, batch, inputs, targets);
                int[] documents = loader.DocumentLengths(inputs)!;
                Assert.Equal(of.batch * of.time, documents.Sum());
                int start = 0;
                foreach (int length in documents)
                {
                    Assert.InRange(length, 1, of.time);
                    Assert.Equal(start / of.time, (start + length - 1) / of.time);
                    for (int i = start; i < start + length; i++)
                    {
                        int input = inputs.Ids[i], target = targets.Ids[i];
                        if (i > start && target != -100)
                            Assert.Equal(targets.Ids[i - 1], input); // what was to be predicted is what comes
                        if (target > End)
                            seen.Add(target);
                        else if (target == End)
                            Assert.Equal(start + length - 1, i); // the end of a text is its last target
                    }
                    start += length;
                }
                if ((batch + 1L) * of.batch >= loader.RowCount)
                    break;
            }
            // Every token but the marks is a target in the first epoch; of the last batch some rows are of the second.
            Assert.Equal(ids.Where(id => id != End), seen.Distinct().Order());
            Assert.True(seen.Count < ids.Length + (of.batch * of.time));
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(200));
    }

    [Fact]
    public void A_batch_by_hand()
    {
        int[] ids = Documents(2, 1, 0, 4); // 0 1 2 | 0 4 | 0 | 0 7 8 9 10
        var loader = new BatchLoader(TokenSource.Of(ids), 2, 7, "test", Sampling.Epochs, End);
        var (inputs, targets) = (new Tensor(new Shape(2, 7), DType.Int32), new Tensor(new Shape(2, 7), DType.Int32));
        loader.Training(1, 0, inputs, targets);
        bool turned = inputs.Ids[1] == 7;
        int[] first = [0, 1, 2, 0, 4, 0, 0], second = [0, 7, 8, 9, 10, 0, 0];
        int[] firstTargets = [1, 2, 0, 4, 0, 0, -100], secondTargets = [7, 8, 9, 10, -100, -100, -100];
        Assert.Equal(turned ? [.. second, .. first] : [.. first, .. second], inputs.Ids.ToArray());
        Assert.Equal(turned ? [.. secondTargets, .. firstTargets] : [.. firstTargets, .. secondTargets],
            targets.Ids.ToArray());
        Assert.Equal(turned ? [5, 1, 1, 3, 2, 1, 1] : [3, 2, 1, 1, 5, 1, 1], loader.DocumentLengths(inputs));
    }
}
