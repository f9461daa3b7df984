using FsCheck;
using FsCheck.Fluent;

namespace Nano.Tests;

public class StopFilterTests
{
    // Few letters and short stops, so that whole and broken-off stops are common.
    static readonly Gen<(string Text, string Stop, int[] Cuts)> Cases =
        from text in Gen.Elements('a', 'b', 'c').ArrayOf()
        from stop in Gen.Choose(1, 5).SelectMany(length => Gen.Elements('a', 'b').ArrayOf(length))
        from cuts in Gen.Choose(0, text.Length).ArrayOf()
        select (new string(text), new string(stop), cuts.Order().ToArray());

    [Fact]
    public void Pieces_of_any_text_join_to_what_comes_before_the_stop() => Prop.ForAll(Cases.ToArbitrary(), example =>
    {
        var (text, stop, cuts) = example;
        int at = text.IndexOf(stop, StringComparison.Ordinal);
        var filter = new StopFilter(stop);
        var (passed, from) = ("", 0);
        foreach (int to in cuts.Append(text.Length))
        {
            passed += filter.Push(text[from..to]);
            from = to;
            // What is held back is shorter than the stop, and nothing that belongs to a stop has passed.
            if (!filter.Stopped && passed.Length <= to - stop.Length)
                return false;
            if (!text.StartsWith(passed, StringComparison.Ordinal) || (at >= 0 && passed.Length > at))
                return false;
        }
        passed += filter.Flush();
        return filter.Stopped == at >= 0 && passed == (at >= 0 ? text[..at] : text);
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(5000));

    // Several stops: the one whose last character comes first ends the text, whatever the pieces; of two that
    // end there, the longer.
    [Fact]
    public void Of_several_stops_the_one_that_is_complete_first_counts() => Prop.ForAll(
        (from example in Cases
         from second in Gen.Choose(1, 5).SelectMany(length => Gen.Elements('a', 'b', 'c').ArrayOf(length))
         select (example.Text, Stops: new[] { example.Stop, new string(second) }, example.Cuts)).ToArbitrary(),
        example =>
        {
            var (text, stops, cuts) = example;
            string? expected = null;
            for (int length = 0; length <= text.Length && expected is null; length++)
                if (stops.Where(stop => text[..length].EndsWith(stop, StringComparison.Ordinal))
                    .MaxBy(stop => stop.Length) is { } met)
                    expected = text[..(length - met.Length)];
            var filter = new StopFilter(stops);
            var (passed, from) = ("", 0);
            foreach (int to in cuts.Append(text.Length))
            {
                passed += filter.Push(text[from..to]);
                from = to;
            }
            passed += filter.Flush();
            return filter.Stopped == expected is not null && passed == (expected ?? text);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(5000));

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    public void Without_a_stop_everything_passes_at_once(string? stop)
    {
        var filter = new StopFilter(stop);
        Assert.Equal(["ab", "", "c"], new[] { filter.Push("ab"), filter.Push(""), filter.Push("c") });
        Assert.False(filter.Stopped);
        Assert.Equal("", filter.Flush());
    }

    [Fact]
    public void A_stop_in_parts_is_held_back_and_never_shown()
    {
        var filter = new StopFilter("\n\nEND");
        Assert.Equal("one", filter.Push("one\n"));
        Assert.Equal("", filter.Push("\nEN"));
        Assert.Equal("\n\nEN", filter.Push("\n"));
        Assert.Equal("", filter.Push("\nE"));
        Assert.Equal("", filter.Push("ND and more"));
        Assert.True(filter.Stopped);
        Assert.Equal("", filter.Push("more"));
        Assert.Equal("", filter.Flush());
    }
}
