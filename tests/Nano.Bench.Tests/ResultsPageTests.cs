using Nano.Tests;

namespace Nano.Bench.Tests;

public class ResultsPageTests
{
    private static string CpuInfo(string vendor, int family, int model) =>
        $"processor\t: 0\nvendor_id\t: {vendor}\ncpu family\t: {family}\nmodel\t\t: {model}\n"
        + "model name\t: Some CPU\nstepping\t: 1\n\nprocessor\t: 1\n";

    // Families and models as AMD's revision guides number them: 19h models 10h-1Fh (Genoa), A0h-AFh (Bergamo),
    // 01h (Milan); 1Ah models 02h (Turin), 11h.
    [Theory]
    [InlineData("AuthenticAMD", 0x19, 0x11, "zen4")]
    [InlineData("AuthenticAMD", 0x19, 0xA0, "zen4")]
    [InlineData("AuthenticAMD", 0x19, 0x01, "zen3")]
    [InlineData("AuthenticAMD", 0x1A, 0x02, "zen5")]
    [InlineData("AuthenticAMD", 0x1A, 0x11, "zen5")]
    [InlineData("AuthenticAMD", 0x17, 0x31, "some-cpu")]
    [InlineData("GenuineIntel", 6, 143, "some-cpu")]
    public void A_processor_has_the_name_of_its_family(string vendor, int family, int model, string name) =>
        Assert.Equal(name, CpuFamily.Of(CpuInfo(vendor, family, model), "Some CPU"));

    [Fact]
    public void Without_a_list_of_processors_the_name_serves() =>
        Assert.Equal("arm64", CpuFamily.Of("", "Arm64"));

    [Fact]
    public void A_part_of_a_page_is_replaced_and_the_other_stays()
    {
        string cases = ResultsPage.With("", ResultsPage.Cases, "# Cases\n\nfirst\n");
        Assert.Equal("<!-- part: cases -->\n# Cases\n\nfirst\n", cases);
        string both = ResultsPage.With(cases, ResultsPage.Peers, "# Peers\n");
        Assert.Equal("<!-- part: peers -->\n# Peers\n<!-- part: cases -->\n# Cases\n\nfirst\n", both);
        Assert.Equal("<!-- part: peers -->\n# Peers\n<!-- part: cases -->\n# Cases\n\nsecond\n",
            ResultsPage.With(both, ResultsPage.Cases, "# Cases\n\nsecond"));
        Assert.Equal("<!-- part: peers -->\n# New\n<!-- part: cases -->\n# Cases\n\nfirst\n",
            ResultsPage.With(both, ResultsPage.Peers, "# New\n"));
    }

    [Fact]
    public void A_page_that_cannot_be_written_leaves_nothing_beside_it()
    {
        using var temp = new TempFolder();
        string path = temp.File("zen4.md");
        ResultsPage.Write(path, ResultsPage.Peers, "# Peers\n");
        Assert.Equal("<!-- part: peers -->\n# Peers\n", File.ReadAllText(path));
        string taken = temp.File("zen5.md");
        Directory.CreateDirectory(taken);
        Assert.Throws<NanoException>(() => ResultsPage.Write(taken, ResultsPage.Peers, "# Peers\n"));
        Assert.Equal([path, taken], Directory.GetFileSystemEntries(temp.Root).Order(StringComparer.Ordinal));
    }
}
