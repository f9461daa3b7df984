using System.Runtime.InteropServices;
using System.Text;

namespace Nano;

/// <summary>
/// Names and kinds of the devices behind the webgpu provider, from Vulkan (vulkan_core.h), so that
/// figures mark software devices. Systems where WebGPU means Direct3D or Metal have no Vulkan
/// library, or a GPU in it.
/// </summary>
internal static unsafe class VulkanDevice
{
    // VkPhysicalDeviceProperties
    private const int MaxDevices = 16, PropertiesBytes = 4096, TypeOffset = 16, NameOffset = 20, NameBytes = 256;
    private const int Processor = 4; // VK_PHYSICAL_DEVICE_TYPE_CPU

    private static readonly Lazy<IReadOnlyList<(string Name, bool IsSoftware)>> All = new(List);

    /// <summary>True if a provider computes on the CPU after all.</summary>
    public static bool IsSoftware(OrtProvider provider) =>
        provider.Short == "WebGPU" && All.Value.Count > 0 && All.Value.All(device => device.IsSoftware);

    /// <summary>The devices of a provider, as more text for a line about it.</summary>
    public static string Described(OrtProvider provider) => provider.Short != "WebGPU" || All.Value.Count == 0 ? ""
        : $" on {string.Join(" or ", All.Value.Select(device => device.Name))}"
            + (IsSoftware(provider) ? ": software Vulkan, no GPU" : "");

    private static List<(string, bool)> List()
    {
        var devices = new List<(string, bool)>();
        if (!NativeLibrary.TryLoad("libvulkan.so.1", out nint library))
            return devices;
        nint* info = stackalloc nint[8]; // VkInstanceCreateInfo: a type, then nothing asked for
        new Span<nint>(info, 8).Clear();
        info[0] = 1;
        nint instance;
        if (((delegate* unmanaged<void*, void*, nint*, int>)NativeLibrary.GetExport(library, "vkCreateInstance"))(info,
            null, &instance) != 0)
            return devices;
        nint* handles = stackalloc nint[MaxDevices];
        uint count = MaxDevices;
        if (((delegate* unmanaged<nint, uint*, nint*, int>)NativeLibrary.GetExport(library,
            "vkEnumeratePhysicalDevices"))(instance, &count, handles) >= 0)
        {
            byte* properties = stackalloc byte[PropertiesBytes]; // 824 in Vulkan 1.x
            for (int i = 0; i < count; i++)
            {
                ((delegate* unmanaged<nint, void*, void>)NativeLibrary.GetExport(library,
                    "vkGetPhysicalDeviceProperties"))(handles[i], properties);
                var name = new ReadOnlySpan<byte>(properties + NameOffset, NameBytes);
                devices.Add((Encoding.UTF8.GetString(name[..name.IndexOf((byte)0)]), *(int*)(properties + TypeOffset)
                    == Processor));
            }
        }
        ((delegate* unmanaged<nint, void*, void>)NativeLibrary.GetExport(library, "vkDestroyInstance"))(instance, null);
        return devices;
    }
}
