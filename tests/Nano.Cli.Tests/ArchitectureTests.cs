using System.Reflection;
using System.Xml.Linq;
using Nano.Tests;

namespace Nano.Cli.Tests;

/// <summary>The walls of the house, checked on the source itself.</summary>
public class ArchitectureTests
{
    private static readonly string Root = Path.GetFullPath(Path.Combine(Goldens.Path("."), "..", ".."));

    /// <summary>Every library may use those before it: Tensor, Model, Train, Gpu, Cli.</summary>
    private static readonly string[] Order = ["Nano.Tensor", "Nano.Model", "Nano.Train", "Nano.Gpu", "Nano.Cli"];

    private static IEnumerable<string> SourceFiles() => Directory.EnumerateFiles(Path.Combine(Root, "src"), "*.cs", SearchOption.AllDirectories)
        .Where(file => !file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal));

    [Fact]
    public void References_go_one_way_in_the_project_files()
    {
        foreach (string project in Order)
        {
            var references = XDocument.Load(Path.Combine(Root, "src", project, project + ".csproj")).Descendants("ProjectReference")
                .Select(reference => Path.GetFileNameWithoutExtension(((string)reference.Attribute("Include")!).Replace('\\', '/')));
            foreach (string reference in references)
                Assert.True(Array.IndexOf(Order, reference) is >= 0 and var at && at < Array.IndexOf(Order, project), $"{project} must not reference {reference}");
        }
    }

    [Fact]
    public void References_go_one_way_in_the_assemblies()
    {
        string[] names = ["Nano.Tensor", "Nano.Model", "Nano.Train", "Nano.Gpu", "nano"];
        foreach (string name in names)
            foreach (var reference in Assembly.Load(name).GetReferencedAssemblies().Where(reference => names.Contains(reference.Name)))
                Assert.True(Array.IndexOf(names, reference.Name) < Array.IndexOf(names, name), $"{name} must not reference {reference.Name}");
    }

    [Fact]
    public void Every_source_project_is_in_the_order()
    {
        var projects = Directory.EnumerateFiles(Path.Combine(Root, "src"), "*.csproj", SearchOption.AllDirectories).Select(Path.GetFileNameWithoutExtension);
        Assert.Equal(Order.Order(), projects.Order());
    }

    [Fact]
    public void Only_the_tensor_library_and_the_binding_of_ONNX_Runtime_allow_unsafe_code()
    {
        var allowing = Order.Where(project => File.ReadAllText(Path.Combine(Root, "src", project, project + ".csproj")).Contains("AllowUnsafeBlocks", StringComparison.Ordinal));
        Assert.Equal(["Nano.Tensor", "Nano.Gpu"], allowing);
        Assert.All(SourceFiles().Where(file => file.Contains("Nano.Gpu", StringComparison.Ordinal) && File.ReadAllText(file).Contains("unsafe", StringComparison.Ordinal)),
            file => Assert.Equal("Ort", Path.GetFileName(Path.GetDirectoryName(file))));
    }

    [Fact]
    public void Only_the_command_line_writes_to_the_console()
    {
        var offenders = SourceFiles().Where(file => !file.Contains("Nano.Cli", StringComparison.Ordinal) && File.ReadAllText(file).Contains("Console.", StringComparison.Ordinal));
        Assert.Empty(offenders);
    }

    /// <summary>There control characters are kept from terminals, and streams that are closed or full are noticed.</summary>
    [Fact]
    public void The_command_line_writes_to_the_console_through_the_screen()
    {
        string[] passes = ["Console.Out", "Console.Error", "Console.Write", "Console.OpenStandard"];
        var others = SourceFiles().Where(file =>
            file.Contains("Nano.Cli", StringComparison.Ordinal) && Path.GetFileName(file) != "Screen.cs");
        var offenders = others.Where(file => passes.Any(File.ReadAllText(file).Replace("AnsiConsole.", "", StringComparison.Ordinal).Contains));
        Assert.Empty(offenders.Select(Path.GetFileName));
    }

    [Fact]
    public void Files_stay_below_400_lines() => Assert.DoesNotContain(SourceFiles(), file => File.ReadLines(file).Count() > 400);

    /// <summary>The three vector widths are one source with another number in it; a change to one belongs in all.</summary>
    [Theory]
    [InlineData(512, 256)]
    [InlineData(512, 128)]
    public void Vector_widths_differ_in_nothing_but_their_width(int first, int second)
    {
        string Source(int width) => string.Join('\n', File.ReadLines(Path.Combine(Root, "src", "Nano.Tensor", "Simd", $"Simd{width}.cs"))
            .Where(line => !line.StartsWith("/// <summary>", StringComparison.Ordinal)))
            .Replace($"get => {width / 32};", "get => lanes;", StringComparison.Ordinal).Replace($"{width}", "width", StringComparison.Ordinal);
        Assert.Equal(Source(first), Source(second));
    }

    [Fact]
    public void The_readme_has_a_line_for_every_source_file()
    {
        string readme = File.ReadAllText(Path.Combine(Root, "README.md"));
        Assert.DoesNotContain(SourceFiles(), file => !readme.Contains(Path.GetFileName(file), StringComparison.Ordinal));
    }
}
